"""A small file that is written whole and made durable in staging, and then takes its place: there, or not at all."""

from __future__ import annotations

import os

from attrs import define

from ..open_files import create, unlink


@define
class StagedFile:
    """The file at *path*, None once it has moved to its place."""

    path: str | None

    @classmethod
    def written(cls, path: str, content: bytes) -> StagedFile:
        """Write *content* to a new file, durably but for its name. Raises OSError, and then leaves nothing."""
        staged = cls(path)
        try:
            with create(path, 0o400) as file:
                rest = memoryview(content)
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
        except BaseException:
            staged.drop()
            raise
        return staged

    def move_to(self, name: str, directory: int) -> None:
        """Give it its *name* in *directory*, where it replaces another; a crash leaves one or the other."""
        assert self.path is not None
        os.rename(self.path, name, dst_dir_fd=directory)
        self.path = None

    def drop(self) -> None:
        """Remove it if it has not moved."""
        if self.path is not None:
            unlink(self.path)
