"""A policy only narrows; what it says wrongly stops every run, and nothing falls back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from vibekit_jupyter.errors import AgentNotInitializedError, ConfigurationError
from vibekit_jupyter.settings.choices import choose_agent, choose_e2b, choose_model
from vibekit_jupyter.settings.layers import Resolution, resolve
from vibekit_jupyter.settings.mappings import given
from vibekit_jupyter.settings.places import Places
from vibekit_jupyter.settings.table import TABLE

if TYPE_CHECKING:
    from pathlib import Path

    from vibekit_jupyter.settings.config import Settings

KEY = {"OPENAI_API_KEY": "sk-12345678"}


def under(
    folder: Path,
    *policies: str,
    environ: dict[str, str] = KEY,
    agent: object = "codex",
    environment: object = None,
) -> Resolution:
    files = []
    for number, policy in enumerate(policies):
        files.append(folder / f"{number}.toml")
        files[-1].write_text(f"[policy]\n{policy}")
    return resolve(given(agent, environment), places=Places(sites=tuple(files)), environ=environ)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("agnet = ['codex']", "a policy has no 'agnet'. Did you mean 'agent'?"),
        ("agent = ['codx']", "policy.agent has 'codx', and there is no such value"),
        ("agent = 'codex'", "policy.agent is no list of texts"),
        ("agent = []", "policy.agent allows nothing"),
        ("max_steps = 0", "policy.max_steps is 0"),
        ("max_steps = '20'", "policy.max_steps is '20'"),
        ("internet = 'off'", "policy.internet is 'off'. It is true or false"),
        ("codex.api_key = ['x']", "a policy has no 'codex.api_key'"),
        ("'codex.base_urls' = ['x']", "a policy has no 'codex.base_urls'"),
    ],
)
def test_a_policy_that_is_wrong_stops_runs(tmp_path: Path, policy: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        under(tmp_path, policy).checked()
    assert f"{tmp_path}/0.toml, line 2: {words}" in str(caught.value)


def test_a_policy_that_cannot_be_read_stops_runs(tmp_path: Path) -> None:
    (tmp_path / "0.toml").mkdir()
    with pytest.raises(ConfigurationError, match="nothing runs until your administrator"):
        resolve({}, places=Places(sites=(tmp_path / "0.toml",)), environ=KEY).checked()


def test_files_that_contradict_each_other_stop_runs_and_are_both_named(tmp_path: Path) -> None:
    found = under(tmp_path, "'codex.model' = ['a', 'b']", "'codex.model' = ['c*']")
    with pytest.raises(ConfigurationError, match=r"0\.toml and .*1\.toml allow nothing together"):
        found.checked()


def test_what_is_not_allowed_is_an_error_that_names_all(tmp_path: Path) -> None:
    settings = under(tmp_path, "agent = ['codex']", agent="claude").checked()
    with pytest.raises(ConfigurationError) as caught:
        choose_agent(settings)
    assert str(caught.value) == (
        "agent is 'claude' (as set here), which your administrator does not allow here "
        f"({tmp_path}/0.toml): codex."
    )


def refused(settings: Settings) -> str:
    with pytest.raises(ConfigurationError) as caught:
        choose_model(settings, "codex")
    return str(caught.value)


def test_a_key_does_not_go_to_another_url_than_an_allowed_one(tmp_path: Path) -> None:
    policy = "'codex.base_url' = ['https://llm.example.org/v1']"
    built_in = under(tmp_path, policy).checked()
    assert "codex.base_url is 'https://api.openai.com/v1' (built in)" in refused(built_in)
    for url in (
        "http://evil/v1",
        "http://llm.example.org/v1",
        "https://llm.example.org.evil/v1",
        "https://llm.example.org@evil/v1",
        "https://evil/https://llm.example.org/v1",
        "https://evil#@llm.example.org/v1",
        "https://evil?@llm.example.org/v1",
        "https://llm.example.org:444/v1",
    ):
        settings = under(tmp_path, policy, environ={**KEY, "OPENAI_BASE_URL": url}).checked()
        assert "(from OPENAI_BASE_URL), which your administrator" in refused(settings)
    for url in ("https://llm.example.org/v1/", "https://LLM.example.org:443/v1"):
        settings = under(tmp_path, policy, environ={**KEY, "OPENAI_BASE_URL": url}).checked()
        assert choose_model(settings, "codex")


def test_a_wildcard_of_a_host_stays_in_the_host(tmp_path: Path) -> None:
    policy = "'codex.base_url' = ['https://*.example.org/v1']"
    for url, fits in (
        ("https://a.example.org/v1", True),
        ("https://evil/.example.org/v1", False),
        ("https://evil?.example.org/v1", False),
        ("https://a.example.org/v1/other", False),
    ):
        settings = under(tmp_path, policy, environ={**KEY, "OPENAI_BASE_URL": url}).checked()
        assert fits == (settings.policy.has("codex.base_url", url))


def test_the_password_of_a_url_is_not_in_the_refusal(tmp_path: Path) -> None:
    environ = {**KEY, "OPENAI_BASE_URL": "https://ada:pass-word@evil/v1?key=pass-word"}
    settings = under(tmp_path, "'codex.base_url' = ['https://h/v1']", environ=environ).checked()
    assert "pass-word" not in refused(settings)


def test_the_demo_model_and_its_kin_can_be_turned_off(tmp_path: Path) -> None:
    settings = under(tmp_path, "demo = false", environ={}).checked()
    assert "The demo model would answer, which your administrator" in refused(settings)
    assert under(tmp_path, "demo = true", "internet = false").checked().policy.allows("demo")


def test_a_place_for_sandboxes_is_not_changed_but_refused(tmp_path: Path) -> None:
    environ = {**KEY, "E2B_API_KEY": "e2b_12345678"}
    settings = under(tmp_path, "environment = ['local']", environ=environ).checked()
    with pytest.raises(ConfigurationError, match=r"environment is 'e2b' .*E2B_API_KEY.*local"):
        choose_e2b(settings)
    settings = under(
        tmp_path, "environment = ['e2b']", environ=environ, environment={"local": {}}
    ).checked()
    with pytest.raises(ConfigurationError, match=r"environment is 'local' \(as set here\)"):
        choose_e2b(settings)
    policy = "'e2b.domain' = ['sandboxes.example.org']"
    settings = under(tmp_path, policy, environ=environ).checked()
    with pytest.raises(ConfigurationError, match=r"e2b\.domain is 'e2b\.app'"):
        choose_e2b(settings)


def test_the_lowest_of_several_maxima_holds(tmp_path: Path) -> None:
    assert under(tmp_path, "max_steps = 30", "max_steps = 20").checked().max_steps == 20


def test_locks_are_told_in_a_few_words(tmp_path: Path) -> None:
    policy = (
        under(
            tmp_path,
            "agent = ['codex']\nmode = ['ask', 'code']\nmax_steps = 20\ninternet = false\n"
            "'codex.model' = ['gpt-6-*']",
            "mode = ['ask']",
            agent={"type": "codex", "mode": "ask"},
        )
        .checked()
        .policy
    )
    assert policy.lock("agent") == policy.lock("mode") == policy.lock("internet") == "locked"
    assert policy.lock("codex.model") == "one of gpt-6-*"
    assert policy.lock("max_steps") == "at most 20 here"
    assert policy.lock("effort") == ""


# For each setting that a list or a switch narrows: a line that does not have what is set, and that.
FORBIDDEN: dict[str, tuple[str, Any]] = {
    "agent": ("agent = ['codex']", "claude"),
    "model": ("model = ['gpt-6-*']", "other"),
    "mode": ("mode = ['ask']", "code"),
    "effort": ("effort = ['low']", "max"),
    "approve": ("approve = ['always']", "never"),
    "environment": ("environment = ['e2b']", "local"),
    "on_exit": ("on_exit = ['pause']", "keep"),
    "project": ("project = ['course-*']", "other"),
    "demo": ("demo = false", True),
    "codex.model": ("codex.model = ['gpt-6-*']", "other"),
    "codex.base_url": ("codex.base_url = ['https://h/v1']", "http://evil/v1"),
    "codex.key_file": ("codex.key_file = ['/run/secrets/*']", "/etc/passwd"),
    "claude.model": ("claude.model = ['opus']", "other"),
    "claude.base_url": ("claude.base_url = ['https://h/v1']", "http://evil/v1"),
    "claude.key_file": ("claude.key_file = ['/run/secrets/*']", "/etc/passwd"),
    "gemini.model": ("gemini.model = ['gemini-3*']", "other"),
    "gemini.base_url": ("gemini.base_url = ['https://h']", "http://evil"),
    "gemini.key_file": ("gemini.key_file = ['/run/secrets/*']", "/etc/passwd"),
    "e2b.domain": ("e2b.domain = ['*.example.org']", "evil.org"),
    "e2b.api_url": ("e2b.api_url = ['https://api.example.org']", "http://evil"),
    "e2b.sandbox_url": ("e2b.sandbox_url = ['https://s.example.org']", "http://evil"),
    "e2b.template": ("e2b.template = ['ds-2026']", "base"),
    "e2b.key_file": ("e2b.key_file = ['/run/secrets/*']", "/etc/passwd"),
}
OF_GROUP = {
    "codex": "OPENAI_API_KEY",
    "claude": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "e2b": "E2B_API_KEY",
}
KEYS = {**KEY, **dict.fromkeys(OF_GROUP.values(), "sk-87654321")}


def use(resolution: Resolution, name: str) -> None:
    """Do what an operation does with settings before it sends anything."""
    settings = resolution.checked()
    if name.startswith("e2b.") or name == "environment":
        choose_e2b(settings, unlock=False)
    else:
        agent = choose_agent(settings)
        group = name.partition(".")[0]
        choose_model(settings, group if group in ("claude", "gemini") else agent, unlock=False)


def test_every_setting_that_a_policy_narrows_is_held_to_it() -> None:
    narrowed = {name for name, each in TABLE.items() if each.kind.policy in ("list", "switch")}
    # Tables are written in other ways: test_mcp.
    elsewhere = {"mcp", *(name for name in TABLE if name.startswith("audit."))}
    assert narrowed - elsewhere == FORBIDDEN.keys()


@pytest.mark.parametrize(
    "way", ["kernel", "run", "environment", "profile", "project", "user", "site"]
)
@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_is_forbidden_is_refused_wherever_it_is_set(
    tmp_path: Path, name: str, way: str
) -> None:
    each, (line, value) = TABLE[name], FORBIDDEN[name]
    if way not in ("run", "profile") and way not in each.who:
        return
    (tmp_path / "policy.toml").write_text(f"[policy]\n{line}")
    group, key = ("", name) if "." not in name else name.split(".")
    text = f"{f'[{group}]' if group else ''}\n{key} = {json.dumps(value)}\n"
    for who, prefix in (("project", "[tool.vibekit]\n"), ("user", ""), ("site", "")):
        written = prefix + text.replace("[", "[tool.vibekit.") if prefix else text
        (tmp_path / f"{who}.toml").write_text(written if way == who else "")
    keys = dict(KEYS)
    if name.endswith("key_file"):
        keys.pop(OF_GROUP[group])
    set_here = {name: value}
    found = resolve(
        {"agent": "auto", **(set_here if way == "kernel" else {})},
        run=set_here if way == "run" else None,
        profile=set_here if way == "profile" else None,
        places=Places(
            tmp_path / "project.toml",
            tmp_path / "user.toml",
            (tmp_path / "site.toml", tmp_path / "policy.toml"),
        ),
        environ={**keys, **({each.variables[0]: str(value)} if way == "environment" else {})},
    )
    with pytest.raises(ConfigurationError, match=r"administrator does not allow here \("):
        use(found, name)


@pytest.mark.parametrize(
    ("policy", "where", "fits"),
    [
        ("domain = ['s.example.org']", {"domain": "s.example.org"}, True),
        ("domain = ['s.example.org']", {"api_url": "https://api.s.example.org"}, True),
        ("domain = ['s.example.org']", {"api_url": "https://s.example.org:443/v1"}, False),
        ("domain = ['s.example.org']", {"api_url": "http://evil"}, False),
        ("domain = ['s.example.org']", {"api_url": "https://evils.example.org"}, False),
        ("domain = ['s.example.org']", {"api_url": "https://s.example.org@evil/"}, False),
        (
            "domain = ['s.example.org']",
            {"domain": "s.example.org", "sandbox_url": "http://e"},
            False,
        ),
        ("domain = ['*.example.org']", {"domain": "evil.org"}, False),
        ("api_url = ['https://api.example.org']", {"domain": "example.org"}, True),
        ("api_url = ['https://api.example.org']", {"domain": "evil.org"}, False),
        (
            "api_url = ['https://api.example.org']",
            {"api_url": "https://api.example.org", "domain": "evil.org"},
            False,
        ),
        (
            "api_url = ['https://api.example.org']",
            {"api_url": "https://api.example.org", "sandbox_url": "https://evil.org"},
            False,
        ),
        (
            "api_url = ['https://api.example.org']",
            {"api_url": "https://api.example.org", "sandbox_url": "https://sandbox.example.org"},
            True,
        ),
    ],
)
def test_a_policy_on_one_way_to_say_where_sandboxes_are_holds_for_the_others(
    tmp_path: Path, policy: str, where: dict[str, str], *, fits: bool
) -> None:
    environ = {"E2B_API_KEY": "e2b_12345678"}
    environ |= {f"E2B_{name.upper()}": value for name, value in where.items()}
    settings = under(tmp_path, f"e2b.{policy}", environ=environ).checked()
    if fits:
        assert choose_e2b(settings) is not None
    else:
        with pytest.raises(ConfigurationError, match="administrator does not allow here"):
            choose_e2b(settings)


@pytest.mark.parametrize("domain", ["evil.org/x.example.org", "u@example.org", "a b", "evil.org?"])
def test_what_is_no_host_is_no_domain(tmp_path: Path, domain: str) -> None:
    environ = {"E2B_API_KEY": "e2b_12345678", "E2B_DOMAIN": domain}
    with pytest.raises(AgentNotInitializedError, match="is not a host's name"):
        choose_e2b(under(tmp_path, "e2b.domain = ['*example.org*']", environ=environ).checked())


def test_where_the_sdk_would_look_by_itself_is_held_to_the_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2B_SANDBOX_URL", "http://evil")
    settings = under(
        tmp_path, "e2b.sandbox_url = ['https://s']", environ={"E2B_API_KEY": "e2b_12345678"}
    ).checked()
    with pytest.raises(ConfigurationError, match=r"e2b\.sandbox_url is 'http://evil'"):
        choose_e2b(settings)
