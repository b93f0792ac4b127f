"""Part of a cohort by what the participants table says: its columns, and conditions on them."""

from .columns import Column, describe_columns, with_unit
from .condition import Condition
from .parsing import parse_condition, parse_conditions
from .remaining import remaining_columns
from .restricting import restrict_cohort, restriction_words

__all__ = [
    "Column",
    "Condition",
    "describe_columns",
    "parse_condition",
    "parse_conditions",
    "remaining_columns",
    "restrict_cohort",
    "restriction_words",
    "with_unit",
]
