"""A cohort, or two, as a folder of maps and tables and one page that explains them."""

from .page import PAGE_NAME
from .report import Report, file_names, make_report, save_report
from .request import ReportRequest

__all__ = ["PAGE_NAME", "Report", "ReportRequest", "file_names", "make_report", "save_report"]
