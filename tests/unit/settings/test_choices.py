"""What is used is what was set, or an error: nothing is guessed, nothing falls back silently."""

from __future__ import annotations

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from vibekit_jupyter.errors import AgentNotInitializedError, ConfigurationError
from vibekit_jupyter.settings.choices import choose_agent, choose_e2b, choose_model
from vibekit_jupyter.settings.config import Settings, read_settings, service_id
from vibekit_jupyter.settings.described import describe
from vibekit_jupyter.settings.layers import Resolution, resolve
from vibekit_jupyter.settings.mappings import given

NOTHING: dict[str, str] = {}


def resolved(
    agent: object = None, environment: object = None, environ: dict[str, str] = NOTHING
) -> Resolution:
    return resolve(given(agent, environment), environ=environ)


def settings_of(
    agent: object = None, environment: object = None, environ: dict[str, str] = NOTHING
) -> Settings:
    return resolved(agent, environment, environ).checked()


def test_nothing_configured_means_the_demo_model_and_the_local_sandbox() -> None:
    settings = settings_of({"type": "auto"})
    assert choose_agent(settings) == "codex"
    assert choose_model(settings, "codex") is None
    assert choose_e2b(settings) is None


def test_without_an_agent_it_is_not_initialized() -> None:
    with pytest.raises(AgentNotInitializedError, match=r"^Agent not initialized: no agent"):
        choose_agent(settings_of())


def test_an_unknown_agent_is_not_initialized_and_the_near_one_is_named() -> None:
    with pytest.raises(AgentNotInitializedError, match=r"no agent 'claud'.*'claude'"):
        choose_agent(settings_of({"type": "claud"}))


@pytest.mark.parametrize(
    ("environ", "agent"),
    [
        ({"OPENAI_API_KEY": "sk-1"}, "codex"),
        ({"ANTHROPIC_API_KEY": "sk-2"}, "claude"),
        ({"ANTHROPIC_BASE_URL": "http://localhost:1"}, "claude"),
        ({"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2"}, "codex"),
        ({"OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": "sk-2"}, "claude"),
    ],
)
def test_auto_is_the_agent_that_is_configured(environ: dict[str, str], agent: str) -> None:
    assert choose_agent(settings_of({"type": "auto"}, environ=environ)) == agent


def test_the_other_agent_than_the_one_configured_is_not_initialized() -> None:
    settings = settings_of({"type": "codex"}, environ={"OPENAI_API_KEY": "sk-1"})
    with pytest.raises(AgentNotInitializedError, match=r"Anthropic.*ANTHROPIC_API_KEY"):
        choose_model(settings, "claude")


def test_an_argument_wins_over_the_environment() -> None:
    mine = {"type": "codex", "model": {"api_key": "mine", "name": "small"}}
    model = choose_model(settings_of(mine, environ={"OPENAI_API_KEY": "theirs"}), "codex")
    assert model is not None
    assert (model.api_key, model.name) == ("mine", "small")


def test_an_empty_variable_counts_as_unset() -> None:
    environ = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "E2B_API_KEY": "", "E2B_API_URL": ""}
    settings = settings_of({"type": "codex"}, environ=environ)
    assert choose_model(settings, "codex") is None
    assert choose_e2b(settings) is None


@pytest.mark.parametrize("key", ["", " ", "sk 1", "sk-1\n", "sk-ключ", "\x00", 7])
def test_a_malformed_key_is_not_initialized_and_is_not_shown(key: object) -> None:
    settings = settings_of({"type": "codex", "model": {"api_key": key}})
    with pytest.raises(AgentNotInitializedError, match="the key for OpenAI") as caught:
        choose_model(settings, "codex")
    assert not str(key).strip() or str(key) not in str(caught.value)


@pytest.mark.parametrize("url", ["", "localhost", "ftp://x", "http://", "http://a b", "http://x:y"])
def test_a_malformed_url_is_not_initialized(url: str) -> None:
    settings = settings_of({"type": "codex", "model": {"base_url": url}})
    with pytest.raises(AgentNotInitializedError, match="not an http"):
        choose_model(settings, "codex")


def test_a_local_model_server_needs_no_key() -> None:
    settings = settings_of(
        {"type": "codex", "model": {"base_url": "http://localhost:11434/v1", "name": "qwen"}}
    )
    model = choose_model(settings, "codex")
    assert model is not None
    assert model.is_local
    assert model.api_key


def test_claude_takes_a_url_with_or_without_v1() -> None:
    settings = settings_of({"type": "claude", "model": {"base_url": "http://localhost:1/v1/"}})
    model = choose_model(settings, "claude")
    assert model is not None
    assert model.base_url == "http://localhost:1"


def test_googles_models_have_settings_of_their_own() -> None:
    environ = {
        "GEMINI_API_KEY": "g-key",
        "GOOGLE_GEMINI_BASE_URL": "https://gateway.example/v1beta/",
        "VIBEKIT_GEMINI_MODEL": "gemini-x",
        "OPENAI_API_KEY": "sk-1",
    }
    settings = settings_of({"type": "gemini"}, environ=environ)
    model = choose_model(settings, choose_agent(settings))
    assert model is not None
    assert (model.agent, model.name, model.api_key) == ("gemini", "gemini-x", "g-key")
    assert model.base_url == "https://gateway.example"
    assert model.other_host == "gateway.example"
    other = choose_model(settings, "codex")
    assert other is not None
    assert other.api_key == "sk-1"


def test_an_agent_in_the_sandbox_is_described_with_the_settings_that_it_takes() -> None:
    environ = {"OPENAI_API_KEY": "sk-1", "VIBEKIT_CODEX_MODEL": "gpt-x"}
    rows = describe(resolved({"type": "goose"}, environ=environ))
    assert ("model", "gpt-x", "from VIBEKIT_CODEX_MODEL") in rows


@pytest.mark.parametrize("name", ["goose", "opencode", "gemini"])
def test_what_the_demo_model_cannot_answer_is_said_before_anything_starts(name: str) -> None:
    with pytest.raises(AgentNotInitializedError, match=f"which {name} asks for") as raised:
        choose_model(settings_of({"type": name}, environ={}), name)
    assert "_API_KEY" in raised.value.hint


@pytest.mark.parametrize("environ", [{}, {"OPENAI_API_KEY": "sk-1"}])
def test_gemini_without_its_key_is_not_initialized(environ: dict[str, str]) -> None:
    settings = settings_of({"type": "gemini"}, environ=environ)
    with pytest.raises(AgentNotInitializedError, match="GEMINI_API_KEY"):
        choose_model(settings, "gemini")


def test_a_key_of_google_alone_leaves_the_other_agents_the_demo_model() -> None:
    settings = settings_of({"type": "auto"}, environ={"GEMINI_API_KEY": "g-key"})
    assert choose_agent(settings) == "codex"
    assert choose_model(settings, "codex") is None


def test_e2b_without_its_key_is_not_initialized() -> None:
    with pytest.raises(AgentNotInitializedError, match="no key for E2B"):
        choose_e2b(settings_of("codex", {"e2b": {}}))


def test_local_wins_over_an_e2b_key_in_the_environment() -> None:
    assert choose_e2b(settings_of("codex", {"local": {}}, {"E2B_API_KEY": "e2b_1"})) is None


def test_a_new_key_is_no_new_place_and_leaves_its_mark() -> None:
    first, second = (
        choose_e2b(settings_of("codex", {"e2b": {"api_key": key}})) for key in ("e2b_1", "e2b_2")
    )
    assert first is not None
    assert second is not None
    assert first.id == second.id
    assert first.key_mark != second.key_mark
    assert "e2b_1" not in first.id + first.key_mark


def test_a_service_is_the_same_one_however_its_url_is_spelled() -> None:
    ids = {
        service_id(url)
        for url in (
            "http://Host:3000",
            "http://host:3000/",
            "HTTP://host:3000",
            "http://ada:secret@host:3000/?token=secret",
        )
    }
    assert ids == {"http://host:3000"}


@pytest.mark.parametrize(
    ("agent", "environment"),
    [
        ({"typ": "codex"}, None),
        ({"type": "codex", "model": {"apiKey": "x"}}, None),
        ({"type": "codex", "mode": "yolo"}, None),
        ("codex", {"e2b": {"apikey": "x"}}),
        ("codex", {"modal": {}}),
        ("codex", {"e2b": {}, "local": {}}),
        ("codex", "local"),
    ],
)
def test_a_key_that_is_not_known_is_an_error(agent: object, environment: object) -> None:
    with pytest.raises(ConfigurationError):
        read_settings(agent, environment)


def test_the_typescript_spelling_is_pointed_to_ours() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'api_key'"):
        read_settings({"type": "codex", "model": {"apiKey": "x"}})


@drawn(st.text())
def test_no_key_is_ever_described(key: str) -> None:
    secret = f"e2b_secret{key}"
    resolution = resolved(
        {"type": "codex", "model": {"api_key": secret}}, {"e2b": {"api_key": secret}}
    )
    assert "secret" not in str(describe(resolution))
    assert "secret" not in repr(resolution)


def test_effort_and_bounds_are_taken_as_set_and_described() -> None:
    settings = settings_of({"type": "codex", "effort": "high", "max_steps": 3, "max_tokens": 9})
    assert (settings.effort, settings.max_steps, settings.max_tokens) == ("high", 3, 9)
    rows = {what: value for what, value, _ in describe(Resolution(settings))}
    assert rows["effort"] == "high"
    assert rows["a run's bound"] == "3 steps, 9 tokens"


def test_the_longest_silence_is_taken_as_set_and_described() -> None:
    assert "silence" not in str(describe(resolved("codex")))
    rows = describe(resolved({"type": "codex", "silence": 90}))
    assert ("a model's silence", "90 s at most", "as set here") in rows


@pytest.mark.parametrize(
    "option",
    [
        {"effort": "hihg"},
        {"max_steps": 0},
        {"max_tokens": "9"},
        {"max_steps": True},
        {"silence": 0},
        {"silence": "60"},
        {"silence": float("nan")},
    ],
)
def test_an_effort_or_bound_that_is_none_is_refused(option: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        read_settings({"type": "codex", **option})


@pytest.mark.parametrize("seconds", [0, -1, "30"])
def test_a_request_timeout_that_is_none_is_refused(seconds: object) -> None:
    with pytest.raises(ConfigurationError, match="seconds"):
        read_settings("codex", {"e2b": {"request_timeout": seconds}})


def test_a_query_in_a_base_url_is_kept_with_or_without_v1() -> None:
    for url in ("https://h/v1/?api-version=7", "https://h?api-version=7"):
        settings = settings_of(
            {"type": "claude", "model": {"base_url": url, "without": "thinking, store"}}
        )
        model = choose_model(settings, "claude")
        assert model is not None
        assert model.base_url == "https://h?api-version=7"
        assert model.without == ("thinking", "store")


def test_a_field_that_no_request_has_cannot_be_left_out() -> None:
    for without in ("stor", 7, ["x"]):
        with pytest.raises(ConfigurationError, match="no optional field"):
            read_settings({"type": "codex", "model": {"without": without}})


def test_a_bound_of_an_answer_is_a_number() -> None:
    assert read_settings({"type": "codex", "max_output_tokens": 8000}).max_output_tokens == 8000
    with pytest.raises(ConfigurationError, match="max_output_tokens"):
        read_settings({"type": "codex", "max_output_tokens": "8000"})
