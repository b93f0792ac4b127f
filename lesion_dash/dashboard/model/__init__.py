"""What the pages are about: the folders there are, and the files of the visitor's own."""
