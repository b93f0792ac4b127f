"""Tables that name the labels of an atlas; each format of the field is one small parser."""

from .colours import parse_itksnap, parse_lut
from .delimited import parse_delimited, parse_plain
from .markup import parse_json, parse_xml
from .mricron import parse_mricron
from .reading import ENDINGS, PARSERS, LabelTable, is_label_table, read_label_table
from .regions import Numbering, Region, TableFault, is_background

__all__ = [
    "ENDINGS",
    "PARSERS",
    "LabelTable",
    "Numbering",
    "Region",
    "TableFault",
    "is_background",
    "is_label_table",
    "parse_delimited",
    "parse_itksnap",
    "parse_json",
    "parse_lut",
    "parse_mricron",
    "parse_plain",
    "parse_xml",
    "read_label_table",
]
