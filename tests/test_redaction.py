"""What is taken for a secret, by its key and by its form, and what is not."""

# ruff: noqa: E501

from __future__ import annotations

import html
import json
import re
import unicodedata
import urllib.parse
from collections.abc import Callable
from time import process_time

import pytest
from django.utils.html import escapejs
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from signal_inspector.payload import Redactor
from signal_inspector.payload.text import MARK
from tests.carriers import carriers, spoken

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nq83v\n-----END RSA PRIVATE KEY-----"


def words(text: str) -> list[str]:
    return text.split()


#: What may make a key harmless at its end, as in "password_changed_at", and some more.
HARMLESS_ENDING = re.compile(
    r"(length|tokens?|count|limit|usage|budget|type|at|on|in)[\W_]*$", re.IGNORECASE
)

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
    pin_code recovery_codes pw PW db_pw psw passw mnemonic seed_phrase recovery_phrase signature
    X-Amz-Signature sig hmac dsn SENTRY_DSN connection_string connectionString conn_str
    sshpass storepass ansible_become_pass bindpw psk passwort mot_de_passe senha
    webhook_url invite_link password_reset_url sid connect.sid bearer smtp_pass
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
    access refresh license seed salt nonce ticket passport signature_date design sight account_sid
    login_url connection connections string invite_count boarding_pass
""")


REDACTOR = Redactor()


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


class TestKeys:
    @pytest.mark.parametrize(
        "key", [*SECRET_KEYS, "card number", "API key", "Session ID", "\uff50assword"]
    )
    def test_secret(self, redactor: Redactor, key: str) -> None:
        """A key that names a secret is recognized in every style of writing."""
        assert redactor.matches_key(key) is not None

    @pytest.mark.parametrize("key", SECRET_KEYS)
    def test_is_secret_inside_text(self, redactor: Redactor, key: str) -> None:
        """No look ahead of the search lets a text pass that has such a key."""
        assert redactor.redact_text(f"order: 7, {key}=Xy7abc") == f"order: 7, {key}={MARK}"

    @pytest.mark.parametrize(
        "key",
        [
            *("credit card", "card number", "api key", "private key", "session id", "auth code"),
            *("recovery phrase", "security code", "verification code", "conn str", "db pass"),
        ],
    )
    def test_is_secret_inside_text_in_two_words(self, redactor: Redactor, key: str) -> None:
        """Nor one whose key is of two words, neither of which may be secret alone."""
        assert redactor.redact_text(f"a 7; {key}: Xy7abc, x") == f"a 7; {key}: {MARK}, x"

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
        assert redactor.matches_key(f"password_{key[:180]}_again") is not None
        key = key[:180]
        assume(not HARMLESS_ENDING.search(unicodedata.normalize("NFKC", key)))
        assert redactor.matches_key(f"password_{key}") is not None


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
    *[
        "2024-01-01T00:00:00 DEBUG: x",
        "access: read, license: MIT, seed: 42",
        "<User: ann>",
        "<Order object (42)>",
        "user -u 1000:1000 x",
        "a > b and c < d",
        "/static/img/abc123def.png",
        "/orders/42/confirm/",
        "/reset/done/",
        "/api/v2/orders/123456/",
        "curl -X POST https://x/y",
        "password: This field is required.",
        "name: ann, value: 3",
        "[('a', 'b'), ('c', 'd')]",
        "the basic idea: keep token counts low",
        "Expected order_placed to be sent once; it was sent twice.",
        "DE12 3456 7890 1234 5678 90",
        'File "x.py", line 3, in f',
        "x == 'abc'",
        "Invalid choice: 'foo' for field name",
        "price: $2b or $6",
        "docker ps -a --format x",
        "key=value&name=ann",
        "git log --author=ann -p file",
        "Missing: 'email', 'password'",
        "update set x = 'abc' where id = 5",
        '[2024-01-01] "GET /a HTTP/1.1" 200 512',
        "{'id': 1, 'key': 'color', 'value': 'red'}",
        "ssh -p 2222 host",
        "GET /accounts/login/?next=/admin/",
        "the order's id",
        "session middleware: missing",
        "signature of f: (a, b)",
        'File "/app/login/views2.py", line 3, in login',
        "/static/login/app.3f2a1b.js",
        "/share/blog/10-tips-for-2024/",
        "/login/a-long-title-of-many-words-in-2024/",
        "docker run -p 8080:80 -d nginx",
        "redis-cli -p 6379 ping",
        "wget -P /tmp https://x/y",
        "password_changed_at=2024-01-01, password_length=12",
        "<th>Password</th><th>Email</th>",
        "the order code is 123456",
        "it\u2019s Ann\u2019s \u201ctoken\u201d",
        "**token** of thanks",
        "update the token set of 3",
        "token count: 15, tokens used: 1,024 of 4,096",
        "password reset mail sent to ann at 10:15",
        "author=jane, sku=XJ900-BLK-42",
        'File "/app/password/forms.py", line 12, in clean_password',
        "C:\\Users\\ann\\Documents\\secret-santa.txt",
        "order id 8f14e45f-ceea-467f-a0e6-5a2f3b1c9d7e",
        "UPDATE product SET price = 12.50 WHERE id = 7",
        "INSERT INTO product (name, price) VALUES ('Lamp', 12.5)",
        "UPDATE auth_user SET password=%s WHERE id=%s",
        'SELECT "auth_user"."id" FROM "auth_user" WHERE "auth_user"."email" = \'a@b.c\'',
        "{'max_tokens': 100, 'token_count': 15, 'company': 'ACME'}",
        "{'name': 'color', 'value': 'red'}",
        "TypeError: login() missing 1 required positional argument: 'password'",
        "AttributeError: 'User' object has no attribute 'token'",
        "https://example.com/blog/2024/05/10-best-tips",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        'ETag: "33a64df551425fcc55e4d42a148795d9f25f89d4"',
        "python -m pip install -U pip, pytest -p no:cacheprovider, mkdir -p /tmp/x1",
        "discount code SUMMER24, zip code is 90210",
        "100% done & 5 < 6, AT&amp;T, %20",
        "password \u2192 login form",
        "passenger=Ann, boarding_pass=B12, bypass=1",
    ],
]


QUOTING: list[Callable[[str], str]] = [
    json.dumps,
    repr,
    lambda text: repr(text.encode()),
    lambda text: json.dumps({"body": text}),
    lambda text: repr([{"n": 1, "body": text}]),
    lambda text: f"ValueError({text!r})",
    lambda text: f"log(text={json.dumps(text)})",
    lambda text: f"it was:\n{text}\nand no more",
    html.escape,
    urllib.parse.quote,
    lambda text: str(escapejs(text)),  # as scripts have it
]

# What follows an arrow is the part that must not be seen.
FORMS = [
    "pbkdf2_sha256$870000$abcDEF123$V0eVpGhbxoQnJ0YzRkZmdoaWprbG1ub3A=",
    "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW",
    "bcrypt_sha256$$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW",
    "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo <- aGFzaGhhc2hoYXNo",
    "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaGhhc2g <- aGFzaGhhc2g",
    "scrypt$16384$abc123$8$5$aGFzaGhhc2hoYXNo",
    "md5$abc$5f4dcc3b5aa765d61d8327deb882cf99",
    "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.",
    "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy",
    "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g0YWJj",
    "https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXXXXXX <- XXXXXXXXXXXXXXXX",
    "https://discord.com/api/webhooks/123456/abcdefGHIJ_- <- abcdefGHIJ_-",
    "https://x.webhook.office.com/webhookb2/abc@def/IncomingWebhook/1234/5678 <- 5678",
    "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawd",
    "https://api.telegram.org/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawd/send <- AAHdqTcv",
    "https://0123456789abcdef0123456789abcdef@o1.ingest.example.com/2 <- 0123456789abcdef",
    "https://h/x?X-Amz-Credential=AKIA1/x&X-Amz-Signature=fe5f80a1&x=1 <- fe5f80a1",
    "https://h/x?sv=2022&sig=abc%2Bdef%3D&se=1 <- abc%2Bdef",
    "https://h/x?code=4/0AX4XfWh1234567890abc&state=1 <- 0AX4XfWh1234567890abc",
    "/reset/MQ/cb5f2x-0123456789abcdef0123456789abcdef/ <- 0123456789abcdef",
    "/password-reset/confirm/MQ/set-passw0rd123/ <- set-passw0rd123",
    "/accounts/password/reset/key/3-cb5f2x-0123456789abcdef0123456789abcdef/ <- 0123456789abcdef",
    "/accounts/confirm-email/MQ:1tYzAB:s3cr3tsignature/ <- s3cr3tsignature",
    "/invite/a1b2c3d4/ <- a1b2c3d4",
    "/magic-link/Zm9vYmFyMTIz <- Zm9vYmFyMTIz",
    "SK0123456789abcdef0123456789abcdef",
    "pbkdf2:sha256:260000$abcDEF123$0123456789abcdef0123456789abcdef",
    "scrypt:32768:8:1$abcDEF123$0123456789abcdef0123456789abcdef",
    "$scrypt$ln=16,r=8,p=1$c2FsdHNhbHQ$aGFzaGhhc2g <- aGFzaGhhc2g",
    "$apr1$abcDEF12$qFmFHqFmFHqFmFHqFmFH12 <- qFmFHqFmFHqFmFHqFmFH12",
    "md50123456789abcdef0123456789abcdef",
    "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19",
    "Your verification code is 123456 <- 123456",
    "the PIN was: 1234 <- 1234",
    "Your OTP is 482913. <- 482913",
    "482913 is your verification code <- 482913",
    "G-482913 is your Google verification code <- 482913",
    "DE89 3704 0044 0532 0130 00",
    "GB82WEST12345698765432",
]

STATEMENTS = [
    ("update u set password = 'hunter2' where id = 5", "update u set password = '[redacted]' where id = 5"),
    ("ALTER USER x PASSWORD 'hunter2'", "ALTER USER x PASSWORD '[redacted]'"),
    ("CREATE USER x IDENTIFIED BY 'hunter2'", "CREATE USER x IDENTIFIED BY '[redacted]'"),
    ("INSERT INTO t (password, n) VALUES ('hunter2', 1)", "INSERT INTO t (password, n) VALUES ('[redacted]', 1)"),
    ('INSERT INTO "t" ("password", "n") VALUES ("hunter2", 1)', 'INSERT INTO "t" ("password", "n") VALUES ("[redacted]", 1)'),
    ("SELECT 'postgres://ann:hunter2@db/x'", "SELECT 'postgres://ann:[redacted]@db/x'"),
    ("SET PASSWORD FOR x = 'hunter2'", "SET PASSWORD FOR x = '[redacted]'"),
    ("SELECT crypt('hunter2', gen_salt('bf'))", "SELECT crypt('[redacted]', gen_salt('[redacted]'))"),
    ("SELECT * FROM x WHERE token LIKE 'hunter2%'", "SELECT * FROM x WHERE token LIKE '[redacted]'"),
    ("UPDATE t SET `api_key`=\"hunter2\"", "UPDATE t SET `api_key`=\"[redacted]\""),
    ("update u set password = 'hun''hunter2'", "update u set password = '[redacted]'"),
    ("update u set pin = 123456", "update u set pin = [redacted]"),
    ("PRAGMA key = 'hunter2'", "PRAGMA key = '[redacted]'"),
    ("UPDATE t SET token = 'hunter2', a = \"b\".\"c\", \"x\" = \"it is\"", "UPDATE t SET token = '[redacted]', a = \"b\".\"c\", \"x\" = \"[redacted]\""),
    ("SELECT 'a', \"b\".\"c\" FROM b WHERE n = 12345", "SELECT 'a', \"b\".\"c\" FROM b WHERE n = 12345"),
    ('SELECT "a"."token" FROM "a" WHERE "a"."id" = %s LIMIT 21', 'SELECT "a"."token" FROM "a" WHERE "a"."id" = %s LIMIT 21'),
]  # fmt: skip

SHAPES = [
    ("SELECT 'a', 1 FROM t WHERE n = 12.5 -- why\n", "SELECT ?, ? FROM t WHERE n = ? \n"),
    ("INSERT INTO t VALUES ('it''s', \"x y\", E'\\'a')", "INSERT INTO t VALUES (?, ?, E?)"),
    ('SELECT "a"."x1" FROM "a" WHERE "a"."n" = %s', 'SELECT "a"."x1" FROM "a" WHERE "a"."n" = %s'),
    ("/* who */ SELECT `b` FROM [c d] WHERE x = 'cut", " SELECT `b` FROM [c d] WHERE x = ?"),
    ("SELECT \"a\" = \"b\".\"c\"", "SELECT \"a\" = \"b\".\"c\""),
]  # fmt: skip

HOSTILE = ["a=","://a:","4111 ","'","eyJ","eyJ-","password=[","password='","\\","-----BEGIN PRIVATE KEY-----","token ","{","[","(","\"","\\\"","--a=","<a","<password>","<a>","--password ","-p ","mysql -p","value=[","{value=[","{\"value\":{","name=password,","password: ","password:\n ","password: |\n ","\n","a ","a-","a.",":","=","%22","&quot;","\\u0022","('password',","('password'","password=(","password=a(","password == [","password='a''","token=(","--token [","/reset/a","/a-","1 ","12345678:","$2b$","pbkdf2_","DE89 ","DE89AAAA","AAAA","form-data; name=","Failing row contains (","(a)=(","Duplicate entry '","-u a:","password is ","password\t","Digest a=","Cookie: ","a"*50+" ","é","\x00","x@",
"://","http://a@","www.","a/","/","hooks.slack.com/","<value>","<name>","<name>password</name><value>","&lt;a","&lt;password&gt;","name=password value=[","v=x,","v=[,","key=loc:[","identified ","identified by ","password for a","SG.aaaaaaaaaa","ghp_","-- ","/*","$a$","''","\"\"\"","'''","password\n ","a\n ","\"value\": \"","value:\n ", "password:\r\n", "a, ", "'a', ", "password=a,","password=a;","password=&","password=\\","password=a\\\\","x=\"\\\\\"", "f(\"", "'SELECT token ', ", "'SELECT token ',(", "'SELECT token' args=(", "VALUES (", "SELECT token VALUES (\"a\",", "\\u005C", "&amp;", "%25", "a email ", "token: !", "token -> ", "123456 is ", "sqlplus a/", "token=\"a\" + ", "IDENTIFIED BY '", "a::b ", "a]"]  # fmt: skip


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
            ("    run('dump --password=x9y')\n", "    run('dump --password=[redacted]')\n"),
            ("    x = getenv('TOKEN', 'x9y')\n", "    x = getenv('TOKEN', '[redacted]')\n"),
            ("    tokens = ['a1', \"b2\"]\n", "    tokens = ['[redacted]', \"[redacted]\"]\n"),
            ("    PIN = 123456\n", "    PIN = [redacted]\n"),
            ("    token: str = 'x9y'\n", "    token: str = '[redacted]'\n"),
            ("    if token == 'x9y':\n", "    if token == '[redacted]':\n"),
            ("    d['password'] = a or 'x9y'\n", "    d['password'] = a or '[redacted]'\n"),
            ("    token = 'a' if b else 'x9y'\n", "    token = '[redacted]' if b else '[redacted]'\n"),
            ("    token = ('a'\n  'x9y')\n", "    token = ('[redacted]'\n  '[redacted]')\n"),
            ("    login(token='a' + 'x9y', b='c')\n",
             "    login(token='[redacted]' + '[redacted]', b='c')\n"),
            ("    setattr(d, 'token', 'x9y')\n", "    setattr(d, 'token', '[redacted]')\n"),
            ("    Popen(['mysql', '-px9y'])\n", "    Popen(['mysql', '-p[redacted]'])\n"),
            ("    s = '''{\"token\": \"x\"}'''\n", "    s = '''{\"token\": \"[redacted]\"}'''\n"),
        ],
    )  # fmt: skip
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

    @pytest.mark.parametrize("number", range(len(carriers("x"))))
    @pytest.mark.parametrize("secret", ["hunter2", "correcthorse"])
    def test_carrier(self, redactor: Redactor, secret: str, number: int) -> None:
        """A secret is found in whatever carries it, and redacting twice changes nothing."""
        text = carriers(secret)[number]
        safe = redactor.redact_text(text)
        assert secret not in safe
        assert redactor.redact_text(safe) == safe

    @pytest.mark.parametrize("number", range(len(spoken("x"))))
    def test_spoken(self, redactor: Redactor, number: int) -> None:
        """A word that no sentence goes on with is a secret behind the name of one."""
        assert "hunter2" not in redactor.redact_text(spoken("hunter2")[number])

    @pytest.mark.parametrize("times", range(6))
    @pytest.mark.parametrize("quote", QUOTING)
    @pytest.mark.parametrize(
        "text",
        [
            "['mysqldump', '--password', 'hunter2']",
            "INSERT INTO users (name, password) VALUES ('x', 'hunter2')",
            'INSERT INTO "users" ("name", "password") VALUES ("a b", "hunter2 x")',
            "[SQL: UPDATE u SET token=%s WHERE n=1] [parameters: ('it''s', 'hunter2')]",
            "(0.001) SELECT * FROM t WHERE token = %s; args=('x', 'hunter2'); alias=default",
            's:8:"password";s:7:"hunter2";',
            "password: 'x' -> 'hunter2'",
        ],
    )
    def test_however_often_it_is_quoted(
        self, redactor: Redactor, text: str, quote: Callable[[str], str], times: int
    ) -> None:
        """A page that quotes a page that quotes it, and so with JSON, Python, URLs and scripts."""
        for _ in range(times):
            text = quote(text)
        assert "hunter2" not in redactor.redact_text(text)

    @settings(deadline=None, max_examples=600, derandomize=True)
    @given(st.sampled_from(carriers("hunter2")), st.lists(st.sampled_from(QUOTING), max_size=4))
    def test_carrier_in_carriers(self, text: str, around: list[Callable[[str], str]]) -> None:
        """However often what carries a secret is quoted in other texts, the secret is found."""
        for quote in around:
            text = quote(text)
        assert "hunter2" not in REDACTOR.redact_text(text)

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("around", ["{}", "see {} there", "{{'x': '{}'}}", '["{}"]'])
    def test_form(self, redactor: Redactor, form: str, around: str) -> None:
        """Hashes, webhooks, keys in links and numbers of accounts are told by their form."""
        text, _, secret = form.partition(" <- ")
        assert (secret or text) not in redactor.redact_text(around.format(text))

    @pytest.mark.parametrize(("sql", "safe"), STATEMENTS)
    def test_sql(self, redactor: Redactor, sql: str, safe: str) -> None:
        """A statement that names a secret keeps none of its literals; others keep theirs."""
        assert redactor.redact_sql(sql) == safe
        assert "hunter2" not in redactor.redact_sql(sql[: len(sql) - 1])

    @pytest.mark.parametrize(("sql", "shape"), SHAPES)
    def test_strict_sql(self, sql: str, shape: str) -> None:
        """A strict redactor leaves the shape of a statement."""
        assert Redactor(strict=True).redact_sql(sql) == shape

    def test_strict_text(self) -> None:
        """A strict redactor lets no text through."""
        redactor = Redactor(strict=True)
        assert redactor.redact_text("web") == redactor.redact_code("x = 1") == MARK
        assert redactor.redact_text("") == ""

    def test_own_pattern_of_values(self) -> None:
        """A project's own pattern of values, as text or compiled, holds in text, code and SQL."""
        redactor = Redactor([r"re:\b[A-Z]{2}-\d{6}\b", re.compile("badge \\w+"), "re:(", "iban"])
        for redact in (redactor.redact_text, redactor.redact_code, redactor.redact_sql):
            assert redact("x AB-123456 badge 7") == f"x {MARK} {MARK}"
        assert redactor.matches_key("re:(") is None

    @pytest.mark.parametrize("unit", HOSTILE)
    @pytest.mark.parametrize("kind", ["redact_text", "redact_code", "redact_sql"])
    def test_hostile_text_costs_no_more_than_its_length(self, kind: str, unit: str) -> None:
        """Twenty times the text takes far from twenty times twenty the time."""
        redact = getattr(Redactor(), kind)
        short, long = (unit * (length // len(unit)) for length in (1_000, 20_000))
        limit = 200 * (_seconds(redact, short, 3) + 0.002)
        assert _seconds(redact, long, 1) < limit


def _seconds(work: Callable[[str], object], text: str, rounds: int) -> float:
    """The least of several times in processor seconds."""
    times = []
    for _ in range(rounds):
        start = process_time()
        work(text)
        times.append(process_time() - start)
    return min(times)


def _passes(number: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(sum(map(int, re.findall(".", str(value)))) for value in doubled) % 10 == 0
