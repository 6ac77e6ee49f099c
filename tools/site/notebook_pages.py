"""The notebooks of examples/notebooks as pages, with the outputs that were saved in them."""

from __future__ import annotations

from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from moved_links import moved_links
from nbconvert import MarkdownExporter

FOLDER = "examples/notebooks"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each notebook, its pictures, and the notebook itself for a download."""
    root = Path(config.config_file_path).parent
    for path in sorted((root / FOLDER).glob("*.ipynb")):
        uri = f"notebooks/{path.stem}.md"
        text, pictures = _converted(path, uri)
        files.append(File.generated(config, uri, content=text))
        for name, data in pictures.items():
            files.append(File.generated(config, f"notebooks/{name}", content=data))
        files.append(File.generated(
            config, f"notebooks/{path.name}", content=path.read_bytes()))
    return files


def _converted(path: Path, uri: str) -> tuple[str, dict[str, bytes]]:
    """A notebook as the Markdown of the page `uri`, and its pictures by name."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = moved_links(cell.source, f"{FOLDER}/{path.name}", uri)
    text, resources = MarkdownExporter().from_notebook_node(
        notebook, {"output_files_dir": f"{path.stem}_files"})
    text = text.replace(' border="1" class="dataframe"', "")  # tables look as all others do
    head, _, rest = text.lstrip().partition("\n")
    return f"{head}\n\n[This notebook]({path.name}) to download.\n{rest}", resources["outputs"]
