"""Texts: the renderer, and a folder for each locale."""
