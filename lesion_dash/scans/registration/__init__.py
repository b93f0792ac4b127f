"""Registration of an image, its lesion and other images to a template."""
