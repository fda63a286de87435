"""The strongest layer that says something is used, a project only lowers, a policy only narrows."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings as profile
from hypothesis import strategies as st

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings.choices import automatic, choose_agent, choose_e2b, choose_model
from vibekit_jupyter.settings.config import BUILT_IN
from vibekit_jupyter.settings.layers import resolve
from vibekit_jupyter.settings.live import LiveSettings, values_of
from vibekit_jupyter.settings.places import Places
from vibekit_jupyter.settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOTHING: dict[str, str] = {}
KEY = {"OPENAI_API_KEY": "sk-12345678", "ANTHROPIC_API_KEY": "sk-87654321"}

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "agent": st.sampled_from(["codex", "claude"]),
    "mode": st.sampled_from(["code", "ask"]),
    "effort": st.sampled_from(["low", "medium", "high", "xhigh", "max"]),
    "max_steps": st.integers(1, 99),
    "max_tokens": st.integers(1, 99),
    "max_output_tokens": st.integers(1, 99),
    "silence": st.floats(1, 99),
    "environment": st.sampled_from(["e2b", "local"]),
    "project": st.sampled_from(["course-7", "lab"]),
    "codex.model": st.sampled_from(["gpt-6-mini", "gpt-6-astra", "other"]),
    "claude.model": st.sampled_from(["opus", "haiku"]),
    "codex.base_url": st.sampled_from(["https://llm.example.org/v1", "http://127.0.0.1:1/v1"]),
    "e2b.template": st.sampled_from(["base", "ds-2026"]),
}
BOUNDS = ("max_steps", "max_tokens", "max_output_tokens")
LISTS = {
    "agent": st.sampled_from([["codex"], ["claude"], ["codex", "claude"], ["c*"]]),
    "mode": st.sampled_from([["code"], ["ask"], ["*"]]),
    "codex.model": st.sampled_from([["gpt-6-*"], ["gpt-6-mini", "other"], ["*"]]),
    "codex.base_url": st.sampled_from([["https://llm.example.org/v1"], ["http*://*/v1"]]),
}


def layer(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Values that a layer may set."""
    may = {each: VALUES[each] for each in VALUES if name in TABLE[each].who}
    return st.fixed_dictionaries({}, optional=may)


POLICIES = st.fixed_dictionaries(
    {}, optional={**LISTS, **dict.fromkeys(BOUNDS, st.integers(1, 60))}
)


def toml(values: Mapping[str, Any], prefix: str = "") -> str:
    """Write values as a person does: what has no table first."""
    tops = [f"{name} = {json.dumps(values[name])}" for name in values if "." not in name]
    text = "\n".join([f"[{prefix}]" if prefix else "", *tops, ""])
    for name in values:
        if "." in name:
            group, _, key = name.partition(".")
            table = f"{prefix}.{group}" if prefix else group
            header = f"[{table}]\n" if f"[{table}]" not in text else ""
            if header or text.rstrip().rpartition("[")[2].startswith(f"{table}]"):
                text += f"{header}{key} = {json.dumps(values[name])}\n"
            else:
                text = text.replace(
                    f"[{table}]\n", f"[{table}]\n{key} = {json.dumps(values[name])}\n"
                )
    return text


def policy_toml(rules: Mapping[str, Any]) -> str:
    lines = [f"{json.dumps(name)} = {json.dumps(allowed)}" for name, allowed in rules.items()]
    return "\n".join(["[policy]", *lines, ""])


def written(
    root: Path,
    project: Mapping[str, Any],
    user: Mapping[str, Any],
    sites: list[dict[str, Any]],
    policies: list[dict[str, Any]],
) -> Places:
    (root / "pyproject.toml").write_text(toml(project, "tool.vibekit"))
    (root / "user.toml").write_text(toml(user))
    files = []
    for number, (site, rules) in enumerate(zip(sites, policies, strict=True)):
        files.append(root / f"site{number}.toml")
        files[-1].write_text(toml(site) + policy_toml(rules))
    return Places(root / "pyproject.toml", root / "user.toml", tuple(files))


def environ(values: Mapping[str, Any]) -> dict[str, str]:
    return {TABLE[name].variables[0]: str(value) for name, value in values.items()}


def expected(layers: Sequence[tuple[str, Mapping[str, Any]]], name: str) -> Any:
    """What holds by the paper: the strongest layer, but a project can only lower a bound."""
    held = TABLE[name].default
    for who, values in reversed(layers):
        if name not in values:
            continue
        lowers = held is None or values[name] <= held if name in BOUNDS else True
        if who != "project" or lowers:
            held = values[name]
    return held


def allows(rules: dict[str, Any], name: str, value: str) -> bool:
    from fnmatch import fnmatchcase

    return all(any(fnmatchcase(value, word) for word in words) for words in rules.get(name, ()))


@profile(max_examples=200)
@drawn(
    kernel=layer("kernel"),
    variables=layer("environment"),
    project=layer("project"),
    user=layer("user"),
    sites=st.lists(layer("site"), min_size=3, max_size=3),
    policies=st.lists(POLICIES, min_size=3, max_size=3),
)
def test_any_layers_and_policies_give_what_the_rules_say(
    *,
    kernel: dict[str, Any],
    variables: dict[str, Any],
    project: dict[str, Any],
    user: dict[str, Any],
    sites: list[dict[str, Any]],
    policies: list[dict[str, Any]],
) -> None:
    layers = [
        ("kernel", kernel),
        ("environment", variables),
        ("project", project),
        ("user", user),
        *(("site", site) for site in sites),
    ]
    with tempfile.TemporaryDirectory() as root:
        places = written(Path(root), project, user, sites, policies)
        found = resolve(
            {"agent": "auto", **kernel}, places=places, environ={**environ(variables), **KEY}
        )
    rules: dict[str, Any] = {}
    for each in policies:
        for name, allowed in each.items():
            rules.setdefault(name, []).append(allowed)
    agents = [one for one in ("codex", "claude") if allows(rules, "agent", one)]
    modes = [one for one in ("code", "ask") if allows(rules, "mode", one)]
    if not agents or not modes:
        with pytest.raises(ConfigurationError, match="allow nothing together"):
            found.checked()
        return
    values = {name: expected(layers, name) for name in VALUES}
    if not allows(rules, "mode", values["mode"]):
        with pytest.raises(ConfigurationError, match=r"mode is .* administrator does not allow"):
            found.checked()
        return
    settings = found.checked()
    held = values_of(settings)
    for name, value in values.items():
        if name in BOUNDS:
            most = min([*rules.get(name, ()), *([] if value is None else [value])], default=None)
            assert held.get(name) == most
        elif name != "agent" and value is not None and value != TABLE[name].default:
            assert held.get(name) == value
        if name in held and settings.origin(name) == BUILT_IN:
            assert all(name not in said for _, said in layers) or name in BOUNDS
    agent = values["agent"] or agents[0]
    if agent not in agents:
        with pytest.raises(ConfigurationError, match=f"agent is '{agent}' .* does not allow"):
            choose_agent(settings)
        return
    assert choose_agent(settings) == agent
    url = values["codex.base_url"]
    fits = allows(rules, "codex.model", values["codex.model"]) and allows(
        rules, "codex.base_url", url
    )
    if fits:
        model = choose_model(settings, "codex")
        assert model is not None
        assert (model.name, model.base_url) == (values["codex.model"], url)
    else:
        with pytest.raises(ConfigurationError, match=r"codex\.\w+ is .*does not allow"):
            choose_model(settings, "codex")


def test_each_layer_names_itself(tmp_path: Path) -> None:
    places = written(tmp_path, {"mode": "ask"}, {"effort": "low"}, [{"silence": 9.0}], [{}])
    settings = resolve(
        {"agent": "codex"},
        places=places,
        profile={"max_tokens": 5},
        environ={"VIBEKIT_MAX_STEPS": "7"},
    ).checked()
    assert settings.origin("agent") == "as set here"
    assert settings.origin("max_steps") == "from VIBEKIT_MAX_STEPS"
    assert settings.origin("mode") == f"from {tmp_path}/pyproject.toml"
    assert settings.origin("max_tokens") == "from ipython_config.py"
    assert settings.origin("effort") == f"from {tmp_path}/user.toml"
    assert settings.origin("silence") == f"from {tmp_path}/site0.toml"
    assert settings.origin("max_output_tokens") == BUILT_IN


def test_a_models_name_does_not_follow_to_another_agent(tmp_path: Path) -> None:
    places = written(tmp_path, {}, {"agent": "codex", "model": "gpt-6-mini"}, [], [])
    one = resolve({}, places=places, environ=KEY).checked()
    assert one.models["codex"].name == "gpt-6-mini"
    other = resolve({}, run={"agent": "claude"}, places=places, environ=KEY).checked()
    assert other.agent == "claude"
    assert other.models["claude"].name is None


def test_a_models_name_without_an_agents_is_that_of_the_agent_in_use(tmp_path: Path) -> None:
    places = written(tmp_path, {"model": "course"}, {}, [{"codex.model": "weaker"}], [{}])
    settings = resolve({"agent": "auto"}, places=places, environ=KEY).checked()
    assert settings.models["codex"].name == "course"
    for environ in ({"VIBEKIT_AGENT": "claude"}, {"ANTHROPIC_API_KEY": "sk-12345678"}):
        settings = resolve({"agent": "auto"}, places=places, environ=environ).checked()
        assert settings.models["claude"].name == "course"
    stronger = {**KEY, "VIBEKIT_CODEX_MODEL": "stronger"}
    settings = resolve({"agent": "auto"}, places=places, environ=stronger).checked()
    assert settings.models["codex"].name == "stronger"


def test_a_key_of_a_stronger_layer_takes_the_place_of_every_weaker_one(tmp_path: Path) -> None:
    places = written(
        tmp_path, {}, {"codex.key_file": "/none"}, [{"codex.key_command": ["false"]}], [{}]
    )
    (own,) = resolve({}, places=places, environ=NOTHING).checked().models.values()
    assert (own.key_file, own.key_command) == ("/none", None)
    (own,) = resolve({}, places=places, environ={"OPENAI_API_KEY": "k"}).checked().models.values()
    assert (own.api_key, own.key_file) == ("k", None)


def test_an_empty_variable_says_nothing_and_a_wrong_one_is_named() -> None:
    assert resolve({}, environ={"VIBEKIT_MODE": ""}).checked().mode == "code"
    for variable, value, words in (
        ("VIBEKIT_MODE", "aks", "Did you mean 'ask'"),
        ("VIBEKIT_MAX_STEPS", "many", "whole number"),
        ("VIBEKIT_AGENT", "claud", "Did you mean 'claude'"),
    ):
        with pytest.raises(ConfigurationError, match=f"^{variable}: .*{words}"):
            resolve({}, environ={variable: value}).checked()


def test_a_number_that_is_lowered_is_told(tmp_path: Path) -> None:
    places = written(tmp_path, {"max_tokens": 9}, {"max_tokens": 5}, [{}], [{"max_steps": 20}])
    settings = resolve({"max_steps": 400}, places=places, environ=NOTHING).checked()
    assert (settings.max_steps, settings.max_tokens) == (20, 5)
    lowered, project = sorted(settings.notes)
    assert lowered == (
        f"max_steps is 400; your administrator allows 20 here ({tmp_path}/site0.toml)."
    )
    assert "a project's file can only lower it, so it stays 5" in project
    # What nobody asked for is lowered without a word.
    assert not resolve({}, places=Places(sites=places.sites), environ=NOTHING).checked().notes


def test_automatic_is_one_that_is_allowed(tmp_path: Path) -> None:
    places = written(tmp_path, {}, {}, [{}], [{"agent": ["claude"], "environment": ["e2b"]}])
    settings = resolve({"agent": "auto"}, places=places, environ=KEY).checked()
    assert automatic(settings) == choose_agent(settings) == "claude"
    with pytest.raises(Exception, match="no key for E2B"):
        choose_e2b(settings)


def test_all_layers_are_read_within_a_millisecond(tmp_path: Path) -> None:
    values = {"agent": "codex", "codex.model": "m", "max_steps": 9}
    places = written(tmp_path, values, values, [values, values], [{"max_steps": 9}, {}])
    took = []
    for _ in range(50):
        began = time.perf_counter()
        resolve({"agent": "auto"}, places=places, environ=KEY).checked()
        took.append(time.perf_counter() - began)
    assert min(took) < 0.003  # a third of it on a machine of its own


def test_who_gives_a_command_means_the_agent_of_ones_own() -> None:
    layers = LiveSettings({"agent": "auto", "agent_command": ("x", "--acp")}, "")
    assert layers.resolve().settings.agent == "own"
    assert layers.resolve({"agent": "claude"}).settings.agent == "claude"
    assert layers.resolve(given={"agent": "auto"}).settings.agent == "auto"
