"""Where things lie does not depend on who is asked."""

from __future__ import annotations

import sys

import platformdirs
import pytest

from certmail import places

ASKED = {
    "XDG_CONFIG_HOME": (places.settings_folder, platformdirs.user_config_dir),
    "XDG_STATE_HOME": (places.state_folder, platformdirs.user_state_dir),
    "XDG_DATA_HOME": (places.data_folder, platformdirs.user_data_dir),
}


@pytest.mark.parametrize("home", ["/home/ops", "/home/ops/", "/", "here", "", None])
@pytest.mark.parametrize("named", ["/srv/xdg", "/srv/xdg/", "/a//b/../c", "xdg", "~/xdg", "", None])
@pytest.mark.parametrize("variable", ASKED)
def test_our_own_answer_is_that_of_platformdirs(variable, named, home, monkeypatch):
    for name, value in ((variable, named), ("HOME", home)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    ours, theirs = ASKED[variable]
    assert ours() == type(ours())(theirs("certmail", appauthor=False))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is always asked")
def test_platformdirs_is_not_asked_where_a_home_is_told(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ops")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert str(places.state_folder()) == "/home/ops/.local/state/certmail"
