"""Which lines have changed, in real repositories: long ones, shallow ones and none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.consent.changed_lines import NoHistory, base_of, changed_lines, git

BEFORE = "one\ntwo\nthree\nfour\n"
AFTER = "one\n2\nthree\nfour\nfive\nsix\n"


def commit(folder: Path, text: str) -> str:
    """Write a file and commit it; return the commit."""
    (folder / "file.py").write_text(text, encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-q", "-m", text[:20].strip())
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a repository with one commit."""
    monkeypatch.delenv("BASE", raising=False)
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, BEFORE)
    return folder


def test_new_lines_are_named(repository: Path) -> None:
    """Changed and added lines by their numbers of now, what is not committed yet too; what was taken away has none."""
    first = git(repository, "rev-parse", "HEAD")
    commit(repository, AFTER)
    assert changed_lines(repository) == (first, {"file.py": {2, 5, 6}})
    (repository / "file.py").write_text("zero\n" + AFTER.replace("three\n", ""), encoding="utf-8")
    assert changed_lines(repository)[1] == {"file.py": {1, 3, 5, 6}}


def test_a_branch_is_compared_with_the_one_it_left(repository: Path, tmp_path: Path) -> None:
    """In a clone, where its own commits begin; at the end of the other's, the last tag or the commits before."""
    first = git(repository, "rev-parse", "HEAD")
    second = commit(repository, AFTER)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    assert base_of(clone) == first
    commit(clone, BEFORE)
    assert base_of(clone) == second


def test_the_last_tag_counts_before_the_last_commits(repository: Path) -> None:
    """Of a version that was tagged the changes since; on the tag itself those since the one before."""
    second = commit(repository, AFTER)
    git(repository, "tag", "v1")
    third = commit(repository, BEFORE)
    assert base_of(repository) == second
    git(repository, "tag", "v2")
    assert base_of(repository) == second
    commit(repository, AFTER)
    assert base_of(repository) == third


def test_a_commit_that_is_named_counts(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BASE names it; one that there is not is told."""
    first = git(repository, "rev-parse", "HEAD")
    commit(repository, AFTER)
    commit(repository, BEFORE)
    monkeypatch.setenv("BASE", "HEAD~2")
    assert base_of(repository) == first
    monkeypatch.setenv("BASE", "no-such-commit")
    with pytest.raises(NoHistory):
        base_of(repository)


def test_a_clone_without_history_is_told(repository: Path, tmp_path: Path) -> None:
    """One commit alone, as of a shallow clone, and a folder without git are no error of the code."""
    commit(repository, AFTER)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(tmp_path / "shallow"))
    with pytest.raises(NoHistory, match="one commit alone"):
        changed_lines(tmp_path / "shallow")
    (tmp_path / "bare").mkdir()
    with pytest.raises(NoHistory, match="git cannot answer"):
        changed_lines(tmp_path / "bare")
