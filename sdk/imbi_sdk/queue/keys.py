"""The names in Redis; ``docs/keys.md`` is this table as a page.

Two families share the database: arq's own keys, which every arq client and dashboard
reads, and ``imbi:`` keys, which hold the truth.

    imbi:queue             zset    job id -> when it is due (ms); an index only
    imbi:layout            string  the layout number every script checks
    imbi:seq               string  counter behind the order of lanes
    arq:job:<id>           string  the body; no expiry while the job may run
    arq:in-progress:<id>   string  mirror of the lease
    arq:retry:<id>         string  mirror of the attempts
    arq:result:<id>        string  the result, 24 h
    arq:abort              zset    stock arq clients ask here for a cancel
    imbi:job:<id>          hash    the truth about a job; 24 h after a good end
    imbi:delivery:<id>     hash    job -> state, nonces; 7 days after the last need
    imbi:event:<delivery>  hash    digest -> event; as long as a job refers to it
    imbi:deliveries        zset    delivery id -> when it came in; the newest 10,000
    imbi:lane:<lane>       zset    job id -> seq; the lowest is the head
    imbi:lane-moved:<lane> string  seq of the last job that left a lane with a dead letter, 30 days
    imbi:holds             zset    hold -> its end (ms)
    imbi:hold:<hold>       hash    reason, actor, kind
    imbi:parked:<hold>     zset    job id -> seq
    imbi:dead              zset    dead letter -> when it died
    imbi:dead-bytes        string  bytes of their bodies
    imbi:outcomes          stream  one entry for every job that ended
    imbi:feed              stream  a record of a delivery for a project, until acknowledged
    imbi:feed-bytes        string  bytes of the events that records keep
    imbi:audit             stream  who changed what, and why
    imbi:counters          hash    how many ended how, by handler
    imbi:served            hash    plugin id -> its last success (ms)
    imbi:slugs             hash    plugin slug -> when a worker last offered it
    imbi:workers           zset    worker id -> heartbeat (ms)
    imbi:worker:<id>       hash    what a worker says of itself, its last claim
    imbi:wake              list    a token wakes one idle worker
    imbi:janitor           string  the worker that sweeps now
    <queue>:health-check:<worker> string  arq's health line of one worker, 30 s
"""

from typing import Final

LAYOUT: Final = 1
QUEUE: Final = "imbi:queue"

JOB: Final = "imbi:job:"
LANE: Final = "imbi:lane:"
LANE_MOVED: Final = "imbi:lane-moved:"
DELIVERY: Final = "imbi:delivery:"
EVENT: Final = "imbi:event:"
PARKED: Final = "imbi:parked:"
HOLD: Final = "imbi:hold:"
HOLDS: Final = "imbi:holds"
DEAD: Final = "imbi:dead"
DEAD_BYTES: Final = "imbi:dead-bytes"
DELIVERIES: Final = "imbi:deliveries"
OUTCOMES: Final = "imbi:outcomes"
FEED: Final = "imbi:feed"
FEED_BYTES: Final = "imbi:feed-bytes"
AUDIT: Final = "imbi:audit"
COUNTERS: Final = "imbi:counters"
WORKERS: Final = "imbi:workers"
WORKER: Final = "imbi:worker:"
WAKE: Final = "imbi:wake"
FEED_GROUP: Final = "imbi-gateway"

BODY: Final = "arq:job:"
IN_PROGRESS: Final = "arq:in-progress:"
RESULT: Final = "arq:result:"
ABORT: Final = "arq:abort"

# Scores from here on belong to jobs that wait behind another one of their lane.
# Finite and below what arq's readers can show as a date, so such a job looks deferred.
FAR: Final = 4_102_444_800_000

# Keys that may stand without an expiry; with a reason each, since everything else must end.
PERMANENT: Final = (
    QUEUE,  # the queue itself
    "imbi:layout",
    "imbi:seq",
    "imbi:wake",  # one token at most
    "arq:abort",  # swept by every claim
    "arq:job:*",  # until the job ends, or its dead letter leaves
    "imbi:job:*",  # the same
    "imbi:delivery:*",  # while a job is open or a dead letter refers to the event
    "imbi:event:*",  # the same
    "imbi:lane:*",  # empty lanes do not exist
    "imbi:parked:*",  # nor do empty holds
    "imbi:hold:*",
    HOLDS,
    DEAD,  # capped by count, age and bytes
    DEAD_BYTES,
    DELIVERIES,  # capped by count
    OUTCOMES,  # trimmed
    FEED,  # capped by count and bytes
    FEED_BYTES,
    AUDIT,  # trimmed
    COUNTERS,  # one field for each handler and ending
    "imbi:served",  # one field for each integration
    "imbi:slugs",  # one field for each plugin
    WORKERS,  # swept with the heartbeat
)
