"""What is wrong with an array's file, before its name is known."""

from __future__ import annotations


class ArrayFault(Exception):
    """Something in a file that makes its array unusable; the reader adds the file's name.

    Parameters
    ----------
    problem : str
        What was found, and the rule it breaks.
    remedy : str, optional
        What the user can do about it.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy


SAVE_AGAIN = 'save the array alone: numpy.save("array.npy", numpy.asarray(array))'
"""What to do about nearly every file that holds more than numbers."""

COPY_AGAIN = "copy it again from its source"
