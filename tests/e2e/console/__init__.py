"""The operator's pages, in a browser and over plain HTTP."""
