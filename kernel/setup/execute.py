"""Executes a notebook with its own kernel: execute.py NOTEBOOK [OUT]. Exits with 1 when a cell fails."""

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def main(notebook, out=None):
    path = Path(notebook)
    if not path.is_file():
        sys.exit(f"nibble-lab: there is no notebook {notebook}.")
    book = nbformat.read(path, as_version=4)
    cells = sum(cell.cell_type == "code" for cell in book.cells)
    started = time.monotonic()

    def report(cell, cell_index, execute_reply):
        count = execute_reply["content"]["execution_count"]
        print(f"cell {count}/{cells}: {execute_reply['content']['status']}, {time.monotonic() - started:.1f} s", flush=True)

    client = NotebookClient(
        book, timeout=1800, resources={"metadata": {"path": str(path.parent)}}, on_cell_executed=report
    )
    failure = None
    try:
        client.execute()
    except CellExecutionError as error:
        failure = error
    if out:
        nbformat.write(book, out)
    if failure:
        print(failure, file=sys.stderr)
        return 1
    print(f"{path.name}: {cells} cells, {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
