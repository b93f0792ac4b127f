"""A cohort, or two, as a folder of maps and tables and one page that explains them."""
