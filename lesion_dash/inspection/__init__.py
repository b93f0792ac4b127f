"""What is in an image file: its header, its space, its values, and what the door says of it."""

from .inspection import Inspection, inspect_image
from .report import Section, describe, form_words, forms_words, json_of
from .space import Axis, Space, number, numbers, point
from .verdicts import Verdict

__all__ = [
    "Axis",
    "Inspection",
    "Section",
    "Space",
    "Verdict",
    "describe",
    "form_words",
    "forms_words",
    "inspect_image",
    "json_of",
    "number",
    "numbers",
    "point",
]
