"""The embedded archive: records in a directory, without network or account. See docs/formats/archive.md."""

from braggbook.records.folder.archive import FolderArchive

__all__ = ["FolderArchive"]
