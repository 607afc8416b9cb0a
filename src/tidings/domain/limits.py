"""Every bound in one file: its unit in its name or its sentence, and why it is what it is.

Those that an operator may want to move are settings too (`config.py`), with these as defaults.
"""

from __future__ import annotations

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE

# --- ids and names --------------------------------------------------------------------------

ID_LENGTH = 255
"""Characters of a platform's id (account, solution, application, record, field): index keys."""
NAME_LENGTH = 255
"""Characters of a key's or an application's name."""
URL_LENGTH = 2_048
"""Characters of an endpoint's URL; what proxies and servers in the field still accept."""
HOST_LENGTH = 253
"""Characters of a host name: RFC 1035 2.3.4, without the root's dot."""
HOST_LABEL_LENGTH = 63
"""Characters between two dots of a host name: RFC 1035 2.3.4."""
CHANGE_AGENT_LENGTH = 512
"""Characters of a change's agent that are kept, from the end (contract 2.5)."""
IDEMPOTENCY_KEY_LENGTH = 255
"""Characters of an Idempotency-Key (contract 3.2)."""

# --- publishing (contract 3.2) --------------------------------------------------------------

PUBLISH_BODY_BYTES = 16 * MEBIBYTE
"""One JSON publish, unpacked. Also what one gzip body may grow to."""
PUBLISH_CHANGES = 10_000
"""Changes of one request, and of one batch of NDJSON."""
CHANGE_BYTES = 1 * MEBIBYTE
"""One change as sent; so a page of a thousand stays in memory."""
JSON_DEPTH = 64
"""Nested containers in anything that a client sends: parsers on both sides recurse."""
CHANGED_FIELDS = 10_000
"""Names in `changed_fields`, and fields of one record."""
NDJSON_CHUNK_LINES = 1_000
"""Lines after which whole batches of a stream are appended in one commit."""
NDJSON_CHUNK_BYTES = 4 * MEBIBYTE
"""Bytes after which they are, so that a stream of any length takes bounded memory."""

PREPARE_INLINE_BYTES = 256 * KIBIBYTE
"""A publish up to this size is split and judged in the event loop (about 3 ms); a larger one in a
thread, so that nobody waits for it."""
NDJSON_OVERLOAD_TRIES = 10
"""How often a stream that finds the log's queue full waits and tries again before it answers 503:
the client would send everything again, so waiting is cheaper."""

# --- the log's queue ------------------------------------------------------------------------

PUBLISH_HELD_BYTES = 512 * MEBIBYTE
"""Of bodies that are being read, judged or waiting for the log, in all; beyond it publish answers
503. Thirty-two of the largest, or 128 streams, each of which counts as one chunk."""
APPEND_QUEUE_REQUESTS = 10_000
"""Writes that may wait for the log's next commit; beyond it publish answers 503."""
APPEND_QUEUE_BYTES = 64 * MEBIBYTE
"""Bytes of bodies that may wait for the log's next commit."""
GROUP_COMMIT_WRITES = 1_000
"""Writes in one commit: past this a commit takes longer, not fewer."""
GROUP_COMMIT_BYTES = 16 * MEBIBYTE
"""Bytes of bodies in one commit (one largest publish fits)."""
OVERLOADED_RETRY_SECONDS = 1.0
"""`Retry-After` of a 503 for a full queue: it drains many times over in that time."""

# --- listing (contract 1.2, 1.5; mechanics P5) ------------------------------------------------

PAGE_SIZE = 50
"""Events of a page where none is asked for."""
PAGE_SIZE_MAX = 1_000
"""Events of a page; a larger page_size is clamped."""
WEBHOOKS_PAGE_SIZE = 50
"""Webhooks of a page where none is asked for (at most PAGE_SIZE_MAX)."""
PAGE_BYTES = 32 * MEBIBYTE
"""Event bytes after which a page ends early, so that a thousand 1 MiB changes don't fill memory."""
SCAN_BUDGET_SECONDS = 2.0
"""How long one ListEvents may look for events that match before it answers `has_more`."""
KNOWN_WEBHOOKS = 10_000
"""Webhooks that a process remembers since it listed them: some 10 MB."""
SCAN_SLICE_ROWS = 50_000
"""Index rows of one read transaction: under 50 ms here, so that the WAL can be reset."""
FIRST_SLICE_ROWS = 128
"""Index rows of a page's first read transaction: enough for most pages (at 9 us a 100)."""
SLICE_GROWTH = 8
"""How many times more rows the next read transaction of a page has, up to SCAN_SLICE_ROWS."""
WAIT_SECONDS_MAX = 30
"""`wait_seconds` of ListEvents; more is clamped. Below the idle limits of common proxies."""
WAIT_POLL_SECONDS = 0.25
"""How often a waiting ListEvents looks where no process hears of every append."""
RPC_BODY_BYTES = 1 * MEBIBYTE
"""A request body of the webhook services."""
READER_THREADS = 4
"""Threads for page reads: one account gets a quarter, one key one (mechanics P5)."""

# --- webhooks -------------------------------------------------------------------------------

FILTER_APPLICATIONS = 100
"""Applications that a filter may name."""
FILTER_FIELDS = 500
"""Fields that a filter may name."""
SOLUTION_WEBHOOKS = 10_000
"""Webhooks of one solution: each of its changes is matched with them (mechanics D8)."""
ACCOUNT_WEBHOOKS = 100_000
"""Webhooks of one account: the dispatcher holds each in memory, at about a kilobyte (D8)."""
ACCOUNT_SOLUTIONS = 10_000
"""Solutions in which an account has webhooks: counted one by one where one is created (D8)."""
ACCOUNT_APPLICATIONS = 10_000
"""Applications that an account may register, and sheets that are noted as it publishes: their rows
are never deleted (D8)."""
KNOWN_SHEETS = 65_536
"""Sheets that a process knows to be noted already: some 10 MiB of names."""
WEBHOOK_REVISIONS = 100
"""What a webhook covered, one after the other, as far as the log reaches: every page reads all of
them (D8)."""

ROTATION_HOURS = 24
"""After a rotation the secret before signs too for so long: receivers have a day (contract 1.4)."""

CHALLENGE_SECONDS = 10.0
"""For an endpoint to answer a challenge, DNS and connecting included (contract 2.4)."""
VERIFICATIONS = 64
"""Challenges in flight for requests that enable a webhook: each holds a client's connection."""
ACCOUNT_VERIFICATIONS = 8
"""Of these, one account's: its own endpoints that never answer hold up nobody else."""
SHEETS_PAGE_SIZE = 100
"""Callback webhooks of a page where no pageSize is asked for (contract 2.3)."""
SHEETS_PAGE_SIZE_MAX = 10_000
"""Callback webhooks of a page, also with `includeAll`; a larger pageSize is clamped."""
SHEETS_READ_AT_ONCE = 500
"""Of a page, that one read transaction takes: under 50 ms (mechanics P5)."""

# --- dispatch (contract 1.6; mechanics D1 to D7) ----------------------------------------------

TAIL_HEADERS = 2_000
"""Headers of one read of the log's tail."""
FLUSH_SECONDS = 1.0
"""How often checkpoints, states, debts, reads and attempts are written."""
WEBHOOK_PING_SECONDS = 1.0
"""Least time between the starts of two pings to one webhook (contract 1.6)."""
KEY_PINGS_PER_SECOND = 3
"""Pings a second for the webhooks that one key last listed: under its 5 requests a second."""
UNREAD_PING_SECONDS = 5.0
"""After a page that left more behind and whose token was not taken up (contract 1.6)."""
CHECKPOINT_HELD_SECONDS = 30.0
"""How long one attempt or wait may hold a bucket's checkpoint before it becomes a debt (D2)."""
SENDS = 256
"""Attempts in flight in one dispatcher."""
ACCOUNT_SHARE = 8
"""One account gets at most a SENDS / ACCOUNT_SHARE-th of the slots (D7)."""
REMINDERS_SPREAD_SECONDS = 3_600.0
"""At a start, over how long reminders that fell due meanwhile are spread: a million at once would
hold up the news of others."""
PING_FIELDS = 100
"""Fields that a ping names; where more changed it names none, so that it stays thin."""
ENDINGS_AT_ONCE = 100
"""Webhooks that are disabled together after a day of failures: one group commit or two."""
HOST_SENDS = 16
"""Attempts in flight of one account to one host."""
FAILURES_A_TURN = 200
"""Webhooks that a dead host fails for in one turn of the event loop: some 5 ms (D7)."""
SLOW_SHARE = 4
"""Endpoints that failed or were slow share SENDS / SLOW_SHARE slots (D7)."""
SLOW_SECONDS = 2.0
"""An attempt that took longer makes its endpoint slow."""
ATTEMPT_QUEUE = 50_000
"""Attempts that may wait to be written to their log; older ones are dropped and counted."""

# --- receiving (contract 2.4, 2.8) --------------------------------------------------------------

CHALLENGE_LENGTH = 255
"""Characters of a challenge that a receiver sends back; those in the field are UUIDs."""
RECEIVED_BODY_BYTES = 4 * MEBIBYTE
"""A request to a receiver: a callback of 1,000 events, each with the longest `changeAgent`."""
RECEIVED_EVENTS = 10_000
"""Events of one callback: ten times what a sender gathers. One with more is kept, for people."""
RECEIVED_BODY_SECONDS = 30.0
"""For a sender to send its body; longer than a sender's own deadline (contract 2.6)."""
RECEIVED_ID_DAYS = 30
"""How long a receiver remembers what it has had: senders repeat for 15 days at most (contract 2.6).
A signed callback that is older can't be told from a repetition: it goes to the dead letters."""
RECEIVED_ID_DAYS_MAX = 36_500
"""The longest that can be wished for: what means "for ever" has to be a date all the same."""
KEEP_NOTIFICATIONS = 1_000
"""Notifications that an inbox takes in one commit."""
KEEP_SECONDS = 8.0
"""For an inbox to keep a notification; then the sender is told 503, before it hangs up itself."""
INBOX_NOTIFICATIONS = 100_000
"""Notifications that an inbox holds, dead letters included; beyond it the sender is told 503."""
INBOX_BYTES = 512 * MEBIBYTE
"""Bytes of bodies that an inbox holds; the same."""
INBOX_JOURNAL_BYTES = 4 * MEBIBYTE
"""Of an inbox's rollback journal, which stays beside its file on SQLite between two commits."""
INBOX_LOOK_SECONDS = 5.0
"""How often an inbox is measured; in between, what comes is added up."""
INBOX_POLL_SECONDS = 1.0
"""How often a worker looks for what other processes kept, and for a lease that has ended."""
INBOX_RETRY_AFTER_SECONDS = 10
"""`Retry-After` of a 503: as long as a sender's first wait."""
HANDLER_LEASE_SECONDS = 10.0
"""How long a process that died keeps others from handling: it is renewed each third of that."""
HANDLER_FIRST_WAIT_SECONDS = 1.0
"""Before a handler that raised is called again; each wait is twice the last, +- 10 %."""
HANDLER_LONGEST_WAIT_SECONDS = 3_600.0
"""The longest of those waits."""
HANDLER_TRIES = 14
"""Calls of a handler for one event, over two hours; then it is a dead letter."""
OPEN_NOTIFICATIONS = 100
"""Notifications that are taken apart in one round of a receiver's worker."""
UNPACKED_ITEMS = 1_000
"""Events after which a commit of such a round ends: some ten milliseconds."""
DUE_ITEMS = 100
"""Events that are looked up in one round of a receiver's worker."""
HANDLED_SECONDS = 0.05
"""Events that are handled within it are settled in one commit: what a crash repeats of plain
handlers, and how long others can't write to SQLite."""
HANDLED_BYTES = 8 * MEBIBYTE
"""Of the notifications whose events are handled together; one is always taken."""
FORGET_ROWS = 500
"""Ids that are forgotten in one statement."""
FORGET_SECONDS = 60.0
"""How often ids over their time are looked for."""
OBJECT_KEY_BYTES = 64
"""Of an object's name in an inbox, by which its events keep their order; a longer one is hashed."""
CALLBACK_GATHER_SECONDS = 1.0
"""From the first event that waits to its callback; the vendor's is a minute (contract 2.5)."""
CALLBACK_EVENTS = 1_000
"""Events of one callback; what is left is the next one's (contract 2.5)."""
CALLBACK_ENTRIES = 1_000
"""Log entries that one callback is made of: nearly each makes an event."""
CALLBACK_BYTES = 4 * MEBIBYTE
"""Of their bodies, after which a callback ends early: new rows are read with their data."""
CALLBACK_INLINE_BYTES = 256 * KIBIBYTE
"""Of their bodies that are read in the event loop; more is read in a thread."""
CALLBACK_SCAN_ROWS = 10_000
"""Index rows of the solution that one such read looks at: some milliseconds."""
CALLBACK_SHARED_SECONDS = 1.0
"""How long the events that were read for one webhook serve the others of its sheet."""
CALLBACKS_SHARED = 16
"""Such batches that are remembered; the oldest goes first. One is some 200 KB at most, and mostly
one kilobyte."""
CALLBACKS_A_CHALLENGE = 100
"""Acknowledged callbacks after which an endpoint is challenged again (contract 2.4)."""

# --- leases (mechanics D6) --------------------------------------------------------------------

LEASE_SECONDS = 10.0
"""How long a claim on a bucket lasts without renewal: the pause after a holder's death."""
LEASE_RENEW_SECONDS = 3.0
"""How often it is renewed: two may be missed before transfers are aborted."""
LEASE_ABORT_SECONDS = 7.0
"""Without a renewal for so long a holder aborts its transfers: before the lease can be taken."""

CLAIM_SECONDS = 1.0
"""How often a dispatcher looks who else is there and who holds what: with LEASE_SECONDS, and the
time that loading takes, it is how long a dead one's buckets stand still."""
GIVE_UP_SECONDS = 3.0
"""How long attempts in flight may take to land before their bucket is given to another dispatcher;
later ones are hung up on and sent again by that one: nobody else's buckets may wait for them."""
TOLD_READS_SECONDS = 0.5
"""How often a dispatcher asks for what was listed in other processes."""

# --- sending (contract 1.6; mechanics S1) -----------------------------------------------------

SEND_SECONDS = 25.0
"""One deadline over DNS, connect, TLS, headers and body."""
RESPONSE_BYTES = 64 * KIBIBYTE
"""Of an endpoint's answer; then we hang up, and a 2xx still counts."""
RESPONSE_HEADER_BYTES = 64 * KIBIBYTE
"""Of an endpoint's headers."""
ERROR_LENGTH = 500
"""Characters of an error that are kept for people to read."""
CONNECTION_LIFETIME_SECONDS = 60
"""A kept connection's life: the guard isn't asked again for one that is reused (S1)."""
CONNECTION_IDLE_SECONDS = 30
"""How long a kept connection may lie unused (S1)."""
DNS_QUERIES_PER_ACCOUNT = 8
"""Look-ups in flight for one account, so that a tarpit of a DNS holds its own tenant only."""
DNS_TRY_SECONDS = 2.0
"""For a DNS server's first answer; c-ares doubles it with each round over its servers."""
DNS_TRIES = 2
"""Rounds over the DNS servers: with three of them 18 s, still within SEND_SECONDS."""
DNS_FRESH_SECONDS = 5.0
"""How long an answer of DNS serves further sends: less than a kept connection's life, and than
the first retry's wait. It spares a busy endpoint two thirds of a ping's CPU time."""
DNS_FRESH_NAMES = 4_096
"""Names whose answers are kept so; the oldest goes first."""
DNS_ADDRESSES = 8
"""Of a name, that libcurl is given. All of them are vetted; more tries fit into no deadline."""
OWN_ADDRESSES_SECONDS = 60.0
"""How long the list of this host's addresses is believed; interfaces come and go rarely."""

# --- how often a key may ask (contract 1.8) -------------------------------------------------------

REQUESTS_PER_SECOND = 5
"""Requests of one key to the webhook service within any 1,000 ms; one more begins the penalty."""
PENALTY_SECONDS = 30.0
"""For which every request of a key is refused that asked more often. It isn't lengthened."""

SHEET_REQUESTS_PER_MINUTE = 300
"""Requests of one key to `/2.0/webhooks` within any 60 s (contract 2.7)."""

TOLD_COUNTS_SECONDS = 0.25
"""How often processes on one database tell each other what they admitted: twice that is less than
a second, so that what they admitted too much in one is known before it is over."""
COUNT_NOTES_KEPT_SECONDS = 90.0
"""For a process that starts: a minute's requests, and every penalty that isn't over."""
TELLERS = 1_024
"""Processes of which it is remembered what they told last: those that are there, and many that
were."""
UNTOLD_COUNTS = 50_000
"""Admissions at one service that wait to be told; where the database is away the oldest go."""

# --- requests -------------------------------------------------------------------------------

BODY_SECONDS = 30.0
"""For a client to send its body, from its headers on; each NDJSON piece has as long."""
BODY_PIECE_BYTES = 64 * KIBIBYTE
"""Of a gzip body unpacked at a time: a bomb takes no more memory than that."""
HEAD_SECONDS = 30.0
"""For a client to send a request's head, from the connection or from the head's first byte on."""
HEAD_BYTES = 64 * KIBIBYTE
"""Of a request's head, at least: nobody has shown a key yet. What comes in one read may be more."""
KEEP_ALIVE_SECONDS = 30
"""An idle client connection is kept so long."""
STALLED_CLIENT_SECONDS = 60
"""A client that takes none of its answer for so long is hung up on, by the kernel."""
CONNECTIONS = 4_096
"""Open client connections of one server."""
READY_SECONDS = 5.0
"""For one check of `/readyz`: what takes longer isn't ready."""
READY_HOLD_SECONDS = 1.0
"""How long an answer of `/readyz` is held: it needs no key, and each look writes."""
HEALTH_CONNECTIONS = 64
"""Open connections to `health_port`: a few probes a second ask there."""
WORKERS = 256
"""Processes under one `tidings serve`."""
WORKER_RESTART_SECONDS = 1.0
"""Before a process that died is started again; each wait is twice the last."""
WORKER_RESTART_SECONDS_MAX = 30.0
"""The longest such wait."""
WORKER_STEADY_SECONDS = 60.0
"""A process that lived so long is started again without delay's having grown."""
WORKER_STOP_SECONDS = 35.0
"""For a process to end after SIGTERM, which promises 30 s; SIGKILL comes after that."""
DRAIN_SECONDS = 25
"""From SIGTERM to the end of in-flight requests; with the checkpoint it stays under 30 s."""

# --- lifecycle and retention ------------------------------------------------------------------

EXPIRY_DAYS = 7
"""Without ListEvents for so long notifications go off (contract 1.7)."""
DELETION_DAYS = 14
"""Without ListEvents for so long a webhook is deleted (contract 1.7)."""
EXPIRY_WARNING_HOURS = 24
"""So long before each of both it is warned (contract 1.7)."""
SWEEP_SECONDS = 60.0
"""How often the sweeper stores its time, and looks for what is due, where nothing is due sooner."""
DOWNTIME_SECONDS = 600.0
"""A longer gap between two sweeps is downtime: it is added to every lifecycle limit (L8)."""
CHORES_AFTER_DOWNTIME_SECONDS = 3_600.0
"""How long after downtime nothing is dropped yet: to set a wrong clock right, which looks the same,
and for readers who were kept waiting to fetch what is over its time."""
CLOCK_AHEAD_SECONDS = 3_600.0
"""How far a clock may run ahead of the sweeps before nothing more is appended by it (L8)."""
SWEEP_BATCH = 50
"""Webhooks that one transaction of a sweep moves: about ten milliseconds of the writer."""
SWEEP_BATCHES = 20
"""Transactions for one stage in one sweep; what is left has the next one, at once."""
IDEMPOTENCY_HOURS = 24
"""How long an Idempotency-Key is remembered (contract 3.2)."""
LOG_DAYS = 15
"""How long the log keeps an event: a webhook that nobody reads is gone after 14 (contract 1.7)."""
ATTEMPT_DAYS = 7
"""How long an attempt can be looked at: a day of retries, and a week to ask what went wrong."""
RETENTION_STEP_ROWS = 500
"""Rows of one deleting statement: 3 ms here where they are of 900 bytes."""
RETENTION_STEP_BYTES = 4 * MEBIBYTE
"""Bytes of bodies of one deleting statement, and one entry: large bodies are freed page by page."""
RETENTION_BATCH_STEPS = 64
"""Such statements of one transaction, however fast the disk is."""
RETENTION_BATCH_SECONDS = 0.01
"""After which a batch begins no further one: with the last and the commit it holds the writer for
less than 50 ms."""
RETENTION_SHARE_SECONDS = 0.5
"""What a batch may take instead, where it waited half as long itself: the greater part of a writer
that is full, so that the log doesn't grow however much is published."""
RETENTION_ROUND_SECONDS = 1.0
"""After which a round ends, though there is more to drop: expiries wait for its end. The next
sweep, which then comes at once, goes on."""

# --- the client --------------------------------------------------------------------------------

ANSWER_BYTES = 64 * MEBIBYTE
"""An answer, unpacked, that a client reads: twice the largest page that a server makes."""
ANSWER_SECONDS = 120.0
"""For such an answer to come whole, once it has begun: a line of 5 Mbit/s brings the largest."""

# --- following (contract 1.5, 1.7) --------------------------------------------------------------

FOLLOWER_EVERY_SECONDS = 60.0
"""How often a follower looks though no ping came, where nothing else is asked for: a ping that is
lost for good costs so long."""
FOLLOWER_EVERY_SECONDS_MAX = 86_400.0
"""How often it looks at the least: six looks may fail before the webhook expires."""
FOLLOWER_REST_SECONDS = 0.25
"""Between two requests that wait for events: one that is answered at once, for whatever reason,
stays below the 5 a second that a key has (contract 1.8)."""
FOLLOWER_RETRY_SECONDS = 1.0
"""The first wait after a failure; each next one is twice the last."""
FOLLOWER_RETRY_SECONDS_MAX = 60.0
"""The longest wait of a follower's own making."""
FOLLOWER_JITTER = 0.1
"""The share by which waits are spread, so that followers of one server don't come all at once."""
FOLLOWER_RIVALRIES = 10
"""How often one turn goes on from where another follower of the same webhook has got to."""

# --- listening (`tidings listen`) ---------------------------------------------------------------

LISTEN_CONNECTIONS = 64
"""Open connections to `tidings listen`; a request on one more is answered 503. Each may hold a
body, 256 MiB in all."""
LISTEN_DRAIN_SECONDS = 5
"""After Ctrl-C, for what is open to be answered; its sender tries again otherwise."""
LISTENED_IDS = 10_000
"""Identities by which `tidings listen` tells a repetition."""
PASS_ON_SECONDS = 20.0
"""For the answer of where a request is passed on to: within the sender's own deadline of 25 s."""
PASSED_ANSWER_BYTES = 64 * KIBIBYTE
"""Of that answer that are read: as many as a sender reads (contract 1.6)."""
RECORD_BYTES = 256 * MEBIBYTE
"""A record file: where senders sign nothing, anybody may write to it."""
RECORD_LINE_BYTES = 32 * MEBIBYTE
"""One request of a record: the longest body, each byte of it escaped, and its headers."""
SHOWN_LENGTH = 200
"""Characters of one value that are printed for people."""

# --- PostgreSQL (mechanics L2, L3, G1, G2) --------------------------------------------------------

POSTGRES_LANES = 4
"""Of one process; fixed for a database, so that its processes share out its buckets alike."""
LANE_ALONE_ROWS = 500
"""Entries in one lane's queue from which on they go without other lanes': they fill a commit by
themselves, and the database can work at several such at once."""
LANE_ALONE_BYTES = 4 * MEBIBYTE
"""The same in bytes of their bodies: all lanes that have less fit into one commit."""
LOCK_PATIENCE_MS = 200
"""How long lanes that go together wait for one bucket's head before each goes alone: longer than
any transaction of ours has one while all is well."""
DATABASE_CONNECTIONS = 10
"""Connections of one process beside its lanes: what reads, and what dispatch writes."""
STATEMENT_SECONDS = 30.0
"""For one statement; the longest of ours, a slice of a page, takes some 50 ms."""
IDLE_IN_TRANSACTION_SECONDS = 5.0
"""For a transaction in which nothing happens: a process that was stopped in the midst of one lets
its buckets' heads go after that."""
DATABASE_CONNECT_SECONDS = 5.0
"""For a connection to be made; and for a server to keep its own limit, before we hang up."""
DATABASE_HOST_SECONDS = 1.5
"""For a connection to one of several hosts; then the next is tried: within the time that a request
waits for a connection, two machines may have lost their power."""
DATABASE_ACQUIRE_SECONDS = 5.0
"""How long a request waits for one of the connections; then it is told to come again."""
DATABASE_RETRY_SECONDS = 5.0
"""How long a write is tried again after its connection was lost; then those who wait are told 503,
within the time that clients have patience for."""
DATABASE_RETRY_WAIT_SECONDS = 0.02
"""Before the first of those tries; each next wait is twice the last."""
DATABASE_RETRY_WAIT_SECONDS_MAX = 0.5
"""The longest of those waits."""
COPY_ROWS = 10
"""From so many rows on a COPY is faster than an INSERT each."""
INDEX_KEY_BYTES = 2_500
"""Of an account's, a solution's and an application's id (or an Idempotency-Key) together: an
index's row may take 2,704 bytes, of which some go to numbers."""
DAYS_AHEAD = 4
"""Days whose partitions are attached before they begin (G1)."""
DAYS_AHEAD_LEAST = 2
"""With fewer of them `/readyz` is red: the sweeper hasn't attached any for two days."""
DAY_LOCK_MS = 200
"""How long attaching and detaching wait for a lock: publishes that come meanwhile wait behind."""
DAY_TRIES = 5
"""Tries to attach one day in one go."""
SNAPSHOT_SECONDS = 60.0
"""How long a snapshot may be held on the primary (G2): hot rows that were replaced since then pile
up behind it."""
MIGRATION_SECONDS = 3_600.0
"""For one statement of a migration."""

# --- SQLite (mechanics P5, Q2) ------------------------------------------------------------------

DATABASE_BUSY_MS = 5_000
"""How long a statement waits for another process's write (`keys create` beside a server)."""
WRITER_CACHE_KIBIBYTES = 64 * 1024
"""Pages that the writer keeps in memory: the inner pages of the indexes of a busy log."""
READER_CACHE_KIBIBYTES = 8 * 1024
"""Pages that each read connection keeps; the rest is the system's page cache."""
WAL_BYTES = 64 * MEBIBYTE
"""Frames after which the writer copies the WAL into the database and begins it anew."""
WAL_RETRY_BYTES = 16 * MEBIBYTE
"""Further frames before the next try, where a reader kept the WAL from beginning anew."""
WAL_BUSY_MS = 100
"""How long the writer then waits for readers; commits wait as long."""
INLINE_SLICE_SECONDS = 0.005
"""What a page may take in the event loop, where it begins; a longer scan goes on in the pool
(mechanics P5)."""
SCAN_SLICE_SECONDS = 0.04
"""Longest read transaction of a page, where many rows must be looked at closely: under 50 ms."""
