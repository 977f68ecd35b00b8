"""Where caches lie."""

from spiritlens.files.cache import cache_folder


def test_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIRITLENS_CACHE", str(tmp_path / "mine"))
    assert cache_folder("spoken") == tmp_path / "mine" / "spoken"
    monkeypatch.delenv("SPIRITLENS_CACHE")
    assert cache_folder("spoken").parts[-2:] == ("spiritlens", "spoken")
