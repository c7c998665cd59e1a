"""What is taken for a secret, by its key and by its form, and what is not."""

from __future__ import annotations

import re
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signal_inspector.payload import Redactor
from signal_inspector.payload.secrets_in_text import MARK

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nq83v\n-----END RSA PRIVATE KEY-----"


def words(text: str) -> list[str]:
    return text.split()


SECRET_KEYS = words("""
    password Password PASSWORD user_password userPassword password2 new-password pAssWord passwd
    pwd db_pwd passphrase pass db_pass secret client_secret clientSecret clientsecret SECRET_KEY
    secrets token accessToken access_token accesstoken refresh-token csrf_token tokens jwt
    api_key apikey apiKey APIKey X-Api-Key HTTP_X_API_KEY x_api_keys private_key privateKey
    signing_key aws_access_key_id Authorization Proxy-Authorization authorisation auth
    basic_auth auth_header authHeader auth_code cookie cookies Cookie Set-Cookie set_cookie
    session sessionid session_id sessionKey PHPSESSID JSESSIONID csrf csrfmiddlewaretoken
    X-XSRF-TOKEN credential credentials creds aws_credentials card_number cardNumber CARD-NO
    cardnumber cc_number credit_card pan PAN cvv cvv2 cvc card_cvc security_code iban IBAN
    ssn SSN user_ssn social_security_number otp totp otp_code one_time_otp pin PIN user_pin
    pin_code recovery_codes
""")

HARMLESS_KEYS = words("""
    author author_id authors authored authority authorized authenticated auth_user auth_group
    description company companies keyboard monkey turkey key keys sort_key primary_key
    foreign_key public_key tokenizer tokenize tokenization tokenomics max_tokens prompt_tokens
    token_count token_type spinner pinned pinterest shipping opinion expand expanded panel japan
    span passed passenger compass bypass boarding_pass secretary secretariat secretion
    session_count session_title obsession possession concession card cardinal discard
    account_number number order user total channel lines options option optional adoption
    issn assn class kind cockpit accredited sidebar taliban recvcount order_number
""")


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


class TestKeys:
    @pytest.mark.parametrize(
        "key", [*SECRET_KEYS, "card number", "API key", "Session ID", "\uff50assword"]
    )
    def test_secret(self, redactor: Redactor, key: str) -> None:
        """A key that names a secret is recognised in every style of writing."""
        assert redactor.matches_key(key) is not None

    @pytest.mark.parametrize("key", HARMLESS_KEYS)
    def test_harmless(self, redactor: Redactor, key: str) -> None:
        """A key that merely contains the letters of a secret one raises no alarm."""
        assert redactor.matches_key(key) is None

    def test_tells_the_pattern(self, redactor: Redactor) -> None:
        """The answer is the name of the pattern, to show why a value is hidden."""
        assert redactor.matches_key("accessToken") == "token"
        assert redactor.matches_key("CARD-NO") == "card number"

    @pytest.mark.parametrize(
        "key", ["national_id", "nationalId", "old-national-ids", "National ID", "nationalid"]
    )
    def test_own_pattern(self, key: str) -> None:
        """A project's own pattern matches in every style, and names itself."""
        assert Redactor(["national_id"]).matches_key(key) == "national_id"

    @pytest.mark.parametrize("key", ["international_idea", "national", "id", "national_order_id"])
    def test_own_pattern_stands_alone(self, key: str) -> None:
        """A project's own pattern matches whole words only."""
        assert Redactor(["national_id"]).matches_key(key) is None

    def test_own_pattern_adds(self) -> None:
        """The built-in patterns hold beside a project's own, and a blank one matches nothing."""
        redactor = Redactor(["", " - ", "a.b(c"])
        assert redactor.matches_key("password") == "password"
        assert redactor.matches_key("order") is None
        assert redactor.matches_key("a_b_c") == "a.b(c"

    def test_other_scripts(self) -> None:
        """A project's own pattern may be in any script."""
        assert Redactor(["contraseña"]).matches_key("CONTRASEÑA_NUEVA") == "contraseña"

    def test_remembers_a_bounded_number(self, redactor: Redactor) -> None:
        """Keys that come from data do not fill the memory, and long ones are not remembered."""
        for number in range(5_000):
            redactor.matches_key(f"key {number}")
        redactor.matches_key("x" * 100)
        assert len(redactor._remembered) <= 2_000
        assert "x" * 100 not in redactor._remembered

    @settings(deadline=None)
    @given(st.text())
    def test_any_text(self, key: str) -> None:
        """Any text can be asked about, and adding a secret word to it makes it a secret."""
        redactor = Redactor()
        redactor.matches_key(key)
        assert redactor.matches_key(f"password_{key}"[:200]) is not None


SECRETS_IN_TEXT = [
    ("Authorization: Bearer abc.def", "Authorization: [redacted]"),
    ("sent Bearer abc123def to it", "sent Bearer [redacted] to it"),
    ("BEARER abc123def", "BEARER [redacted]"),
    ("Basic dXNlcjpwYXNz was refused", "Basic [redacted] was refused"),
    ("Token 9944b09199c62bcf9418ad846dd0e4bb", "Token [redacted]"),
    (f"the JWT {JWT} has expired", "the JWT [redacted] has expired"),
    (f"key {PEM} given", "key [redacted] given"),
    (PEM[:40], "[redacted]"),
    ("postgres://shop:hunter2@db:5432/shop", "postgres://shop:[redacted]@db:5432/shop"),
    ("postgres://shop:p@ss:w@db/shop?a=b", "postgres://shop:[redacted]@db/shop?a=b"),
    ("mysql://shop:pa/ss?w@db/shop", "mysql://shop:[redacted]@db/shop"),
    ("redis://:hunter2@cache:6379/0", "redis://:[redacted]@cache:6379/0"),
    (
        "from amqp://a:b1@one// to amqp://c:d2@two//",
        "from amqp://a:[redacted]@one// to amqp://c:[redacted]@two//",
    ),
    ("card 4111 1111 1111 1111 12/27", "card [redacted] 12/27"),
    ("4111-1111-1111-1111", "[redacted]"),
    ("4222222222222", "[redacted]"),
    ("paid with 3782 822463 10005.", "paid with [redacted]."),
    ("5555555555554444,6011111111111117", "[redacted],[redacted]"),
    ("4111 1111 1111 1111 5555 5555 5555 4444", "[redacted] [redacted]"),
    ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "[redacted]"),
    ("key=rk_test_4eC39HqLyjWDarjtT1zdp7dc", "key=[redacted]"),
    ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "[redacted]"),
    ("github_pat_11ABCDEFG0abcdefghijkl_x", "[redacted]"),
    ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
    ("xoxb-123456789012-abcdefGHIJ", "[redacted]"),
    ("AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "[redacted]"),
    ("glpat-ABCDEFGHIJKLMNOPQRST", "[redacted]"),
    ("Set-Cookie: sessionid=abc123; Path=/; HttpOnly", "Set-Cookie: [redacted]"),
    ("Cookie: a=1; b=2\nHost: shop", "Cookie: [redacted]\nHost: shop"),
    ("sessionid=abc123; Path=/; HttpOnly", "sessionid=[redacted]; Path=/; HttpOnly"),
    ("host=db user=shop password=hunter2 port=1", "host=db user=shop password=[redacted] port=1"),
    ("Password=hunter2;Server=db", "Password=[redacted];Server=db"),
    ("password=hun,ter2 x", "password=[redacted] x"),
    ("password=hunter2,port=1", "password=[redacted],port=1"),
    ("next=/x&token=abc&page=2", "next=/x&token=[redacted]&page=2"),
    ("{'password': 'hunter 2', 'a': 1}", "{'password': '[redacted]', 'a': 1}"),
    ('{"api_key": "va\\"lue", "b": 2}', '{"api_key": "[redacted]", "b": 2}'),
    ("{'token': b'abc', 'a': 1}", "{'token': b'[redacted]', 'a': 1}"),
    ("password=Decimal('12') x", "password=[redacted] x"),
    ("tokens=['abc', 'def'] x", "tokens=[redacted] x"),
    ("X-Api-Key: k123", "X-Api-Key: [redacted]"),
    ("api key: k123", "api key: [redacted]"),
    ("password: hunter", "password: [redacted]"),
    (
        "Key (session_key)=(abc123) already exists.",
        "Key (session_key)=([redacted]) already exists.",
    ),
]

ORDINARY_TEXT = [
    "web",
    "",
    "Order 42 placed, thanks",
    "Basic authentication failed",
    "the bearer certificates of the token holders",
    "Token expired yesterday",
    "https://example.com:8000/a/b?page=2&next=/c@d",
    "http://localhost:8000/a@b",
    "https://shop@example.com/",
    "sqlite:///var/lib/shop.db",
    "4111111111111112 fails the check",
    "12345678-1234-1234-1234-123456789012",
    "2024-04-30 2024-05-01 has a card's check digit",
    "abcdef01-abcd-abcd-4234-123456789007 has one too",
    "2026-01-02T03:04:05.678901+00:00",
    "1700000000004 and 0123456789000003 have one",
    "0.4111111111111111",
    "+49 30 12000 4567 890",
    "password: This field is required.",
    "token: str = None",
    "password=None",
    "author: Ada, description: a book",
    "keyboard=1&monkey=2",
    "a == b",
    "if token == expected",
    "Secret Santa",
    "risk_test_abcdefghijkl",
    "order_completed_notification_sent",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
]


class TestText:
    @pytest.mark.parametrize(("text", "safe"), SECRETS_IN_TEXT)
    def test_secret(self, redactor: Redactor, text: str, safe: str) -> None:
        """A secret is replaced, and what stands around it stays."""
        assert redactor.redact_text(text) == safe

    @pytest.mark.parametrize("text", ORDINARY_TEXT)
    def test_ordinary(self, redactor: Redactor, text: str) -> None:
        """Ordinary text is given back as the object it is."""
        assert redactor.redact_text(text) is text

    @pytest.mark.parametrize(("text", "safe"), SECRETS_IN_TEXT)
    def test_twice(self, redactor: Redactor, text: str, safe: str) -> None:
        """Redacting what is redacted already changes nothing."""
        assert redactor.redact_text(safe) == safe

    def test_own_pattern(self) -> None:
        """A project's own pattern holds inside text too."""
        assert Redactor(["badge"]).redact_text("badge=77, x=1") == f"badge={MARK}, x=1"

    @pytest.mark.parametrize(
        ("code", "safe"),
        [
            ("    token = read_token(request)\n", None),
            ("    user = login(password=password)\n", None),
            ("    def check(token: str) -> None:\n", None),
            ('    connect(password="hunter2")\n', '    connect(password="[redacted]")\n'),
            ('    url = "redis://:pw@cache"\n', '    url = "redis://:[redacted]@cache"\n'),
        ],
    )
    def test_code(self, redactor: Redactor, code: str, safe: str | None) -> None:
        """In source code a name that is assigned stays, and a literal secret goes."""
        assert redactor.redact_code(code) == (code if safe is None else safe)

    @settings(deadline=None)
    @given(st.text(st.sampled_from("4111-  5='\":@/pwtoken\n.eyJ[]{}"), max_size=300))
    def test_any_text(self, text: str) -> None:
        """Any text comes back as text, and as the same object unless something was replaced."""
        safe = Redactor().redact_text(text)
        assert safe is text or MARK in safe

    @settings(deadline=None)
    @given(
        st.sampled_from([" {} ", "see {},", "({})", '"{}"', "{}.", "id {}\n"]),
        st.integers(0, 9_999_999_999_999),
    )
    def test_every_card_number(self, around: str, middle: int) -> None:
        """Every number with a card's length and check digit is found."""
        digits = f"45{middle:013}"
        number = next(f"{digits}{check}" for check in range(10) if _passes(f"{digits}{check}"))
        text = around.format(number)
        assert number not in Redactor().redact_text(text)

    @pytest.mark.parametrize(
        "text",
        [
            "a=" * 5_000,
            "://a:" * 2_000 + "@",
            "4111 " * 2_000,
            "'" * 10_000 + "=",
            "eyJ" * 3_000,
            "password=" + "[" * 10_000,
            "password='" + "\\" * 10_000,
            "-----BEGIN PRIVATE KEY-----" * 300,
            "token " * 2_000 + "=",
        ],
    )
    def test_hostile_text_costs_little(self, redactor: Redactor, text: str) -> None:
        """No text makes the search run away: ten thousand characters take far under a second."""
        start = process_time()
        redactor.redact_text(text)
        assert process_time() - start < 0.5


def _passes(number: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(sum(map(int, re.findall(".", str(value)))) for value in doubled) % 10 == 0
