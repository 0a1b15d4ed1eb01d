"""A site of notebooks that needs no server: JupyterLite, Pyodide and Braggbook's own code as static files."""
