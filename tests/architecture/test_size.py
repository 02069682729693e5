"""What a newcomer has to hold in mind grows slowly: a change adds little, or says in its message why it adds more."""

import ast
import subprocess

import pytest

from tests.architecture.size import FREE_NODES, base_of, counts, git, growth

# Nodes of one.
A_STATEMENT = len(list(ast.walk(ast.parse("x = 1").body[0])))
NEVER = ("circles", "functions of many parameters", "imports of the engine from outside")


def test_what_never_happens():
    found = counts()
    assert {name: found[name] for name in NEVER} == dict.fromkeys(NEVER, 0)


def test_a_change_adds_no_more_than_it_may():
    base = base_of()
    if base is None:
        pytest.skip("there is no history to compare with")
    found = growth(base)
    assert found.added <= found.allowed, "make it smaller, or add a line `Size: +N, why` to a commit message"


@pytest.fixture
def branch(tmp_path):
    """A history whose trunk holds one small module of the product, on a branch of it."""
    git(tmp_path, "init", "--initial-branch=main")
    (tmp_path / "gapsim").mkdir()
    commit(tmp_path, "Begin", 100)
    git(tmp_path, "switch", "--create", "work")
    return tmp_path


def commit(folder, message, statements, file="gapsim/module.py"):
    """Commit a module of so many statements."""
    (folder / file).write_text("x = 1\n" * statements)
    git(folder, "add", ".")
    git(folder, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "--message", message)


def added(folder):
    return growth(base_of(root=folder), folder)


def test_nodes_are_counted_from_where_the_branch_left_the_trunk(branch):
    commit(branch, "Grow", 110)
    before = added(branch)
    git(branch, "switch", "main")
    commit(branch, "Grow elsewhere", 50, "gapsim/other.py")
    git(branch, "switch", "work")
    assert before == added(branch)
    assert before.added == 10 * A_STATEMENT
    assert before.allowed == FREE_NODES


def test_a_line_of_the_message_raises_what_is_allowed_and_lines_add_up(branch):
    commit(branch, "Grow\n\nSize: +1,200, a reader of workbooks", 120)
    commit(branch, "Grow more\n\nSize: +30, its errors\nSize: +7,", 130)
    assert added(branch).allowed == FREE_NODES + 1_230


def test_a_large_file_may_grow_by_a_share_of_itself(branch):
    git(branch, "switch", "main")
    commit(branch, "Grow", 20_000)
    git(branch, "switch", "--create", "later")
    commit(branch, "Change", 20_001)
    assert added(branch).allowed == 20_000 * A_STATEMENT // 100


def test_files_that_go_make_room_and_tests_are_free(branch):
    (branch / "tests").mkdir()
    commit(branch, "Test", 5_000, "tests/test_it.py")
    assert added(branch).added == 0
    (branch / "gapsim/module.py").unlink()
    commit(branch, "Move", 90, "gapsim/moved.py")
    assert added(branch).added == -10 * A_STATEMENT


def test_on_the_trunk_the_last_commit_is_the_change(branch):
    git(branch, "switch", "main")
    assert base_of(root=branch) is None
    commit(branch, "Grow", 110)
    assert added(branch).added == 10 * A_STATEMENT


def test_without_a_history_there_is_nothing_to_compare_with(tmp_path):
    assert base_of(root=tmp_path) is None
    with pytest.raises(subprocess.CalledProcessError):
        git(tmp_path, "rev-parse", "HEAD")
