"""Invariants of the logs and of what they did to Postgres."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.evidence import INPUTS, Evidence
from tests.chaos.finding import invariant

COMMENTS = "comments.v1"
VOTE = "veche.vote.cast.v1"


@invariant
def lost(e: Evidence) -> Iterator[str]:
    """What was acknowledged is in the log; what is in the log has its outcome, told to all."""
    at = {(r.topic, r.partition, r.offset): r.id for r in e.records}
    for event, place in e.receipts:
        if at.get(place) != event:
            yield f"{event} was accepted at {place}, where the log holds {at.get(place)}"
    in_log = set(at.values())
    for event, said in e.invoked.items():
        if said == "ok" and event not in in_log:
            yield f"{event} was accepted and is in no log"
    recorded = {(row["discussion"], row["event_id"]) for row in e.rows("outcomes")}
    for r in e.records:
        if r.topic == COMMENTS and (r.discussion, r.id) not in recorded:
            yield f"{r.id} ({r.type}) at {r.partition}:{r.offset} has no outcome"
    told = {(one["discussion"], one["data"]["event"], one["data"]["digest"]) for one in e.told}
    for row in e.rows("outcomes"):
        if (row["discussion"], row["event_id"], row["digest"]) not in told:
            yield f"the outcome of {row['event_id']} is not in outcomes.v1"


@invariant
def phantom(e: Evidence) -> Iterator[str]:
    """Nothing happened that nobody sent, or that its sender was told had failed."""
    for r in e.records:
        said = e.invoked.get(r.id)
        if said is None and r.id not in e.injected:
            yield f"{r.id} is in {r.topic} and nobody sent it"
        elif said == "fail":
            yield f"{r.id} is in {r.topic} though its sender was told that it failed"
    known = {(r.discussion, r.id) for r in e.records}
    for row in e.rows("outcomes"):
        if (row["discussion"], row["event_id"]) not in known:
            yield f"an outcome of {row['event_id']}, which is in no log"
    comments = {(d.key, c) for d in e.model.discussions.values() for c in d.comments}
    for row in e.rows("comments"):
        if (row["discussion"], row["comment"]) not in comments:
            yield f"comment {row['comment']} of {row['discussion']} has no cause"
    for key in {one.key for one in e.strips} - e.model.discussions.keys():
        yield f"a strip of {key}, of which no log tells"


@invariant
def duplicate_effect(e: Evidence) -> Iterator[str]:
    """A fence only steps on from where it stood: no range of the log took effect twice."""
    last: dict[tuple[str, int], int] = {}
    epochs: dict[tuple[str, int], int] = {}
    for row in e.rows("fence_steps"):
        place = (row["topic"], row["partition"])
        if row["epoch_is"] < epochs.get(place, 0):
            yield f"{place}: a step under epoch {row['epoch_is']} after {epochs[place]}: a zombie's"
        epochs[place] = row["epoch_is"]
        if row["epoch_was"] != row["epoch_is"]:  # an operator's resume
            last[place] = row["stands"]
            continue
        if row["stands"] <= row["stood"]:
            yield f"{place}: the fence went from {row['stood']} to {row['stands']}"
        elif place in last and row["stood"] != last[place]:
            yield f"{place}: a step from {row['stood']} after one to {last[place]}"
        last[place] = row["stands"]
    seen = Counter((row["discussion"], row["event_id"]) for row in e.rows("revisions"))
    for (discussion, event), count in seen.items():
        if count > 1:
            yield f"{event} wrote {count} revisions in {discussion}"
    said: dict[tuple[str, str], str] = {}
    for one in e.told:
        name, data = (one["discussion"], one["id"]), str(one["data"])
        if said.setdefault(name, data) != data:
            yield f"outcomes.v1 tells two things of {one['id']}"


@invariant
def counter_mismatch(e: Evidence) -> Iterator[str]:
    """Every counter equals its recomputation, tolerance 0."""
    up_down: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in e.rows("votes"):
        if row["value"]:
            up_down[row["discussion"], row["target"]][row["value"] < 0] += 1
    totals = {(r["discussion"], r["target"]): [r["up"], r["down"]] for r in e.rows("vote_totals")}
    for key in {*up_down, *totals}:
        if totals.get(key, [0, 0]) != up_down.get(key, [0, 0]):
            yield f"votes of {key}: {totals.get(key)} counted, {up_down.get(key)} stand"
    views = {row["discussion"]: row["views"] for row in e.rows("view_totals")}
    for name in {*views, *e.model.views}:
        if views.get(name, 0) != e.model.views.get(name, 0):
            yield f"views of {name}: {views.get(name)} counted, {e.model.views.get(name)} happened"
    visible = Counter(row["discussion"] for row in e.rows("comments") if row["visible"])
    for row in e.rows("discussions"):
        if row["visible_comments"] != visible[row["discussion"]]:
            yield (
                f"{row['discussion']} counts {row['visible_comments']} comments,"
                f" {visible[row['discussion']]} are visible"
            )
    yield from _descendants(e)
    authors: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in e.rows("comments"):
        if row["status"] in ("published", "rejected"):
            authors[row["author"]][row["status"] == "rejected"] += 1
    counted = {
        row["author"]: [row["published"], row["rejected"]] for row in e.rows("author_totals")
    }
    for author in {*authors, *counted}:
        if counted.get(author, [0, 0]) != authors.get(author, [0, 0]):
            yield f"author {author}: {counted.get(author)} counted, {authors.get(author)} are there"


@invariant
def reporters_record(e: Evidence) -> Iterator[str]:
    """What moderators ruled on each reader's reports, summed up, is what the log makes of it."""
    records = e.model.reporters()
    counted = {row["reporter"]: row for row in e.rows("reporter_totals")}
    for reporter in {*records, *counted}:
        row, of_log = counted.get(reporter), records[reporter]
        is_ = (row["upheld"], row["dismissed"]) if row else (0, 0)
        if is_ != (want := (of_log["upheld"], of_log["dismissed"])):
            yield f"reports of {reporter}: {is_} upheld and dismissed, by the log {want}"


def _descendants(e: Evidence) -> Iterator[str]:
    below: Counter[tuple[str, str]] = Counter()
    for discussion in e.model.discussions.values():
        for comment in discussion.visible:
            below.update((discussion.key, name) for name in discussion.ancestors(comment)[:32])
    for row in e.rows("comments"):
        key = (row["discussion"], row["comment"])
        if row["visible_descendants"] != below[key]:
            yield f"{key} counts {row['visible_descendants']} below, {below[key]} are visible"


@invariant
def vote_state(e: Evidence) -> Iterator[str]:
    """Every voter's vote is the model's; so is what waits and what was refused."""
    stored = {(r["discussion"], r["target"], r["voter"]): r for r in e.rows("votes")}
    for key, ballot in e.model.votes.items():
        row = stored.pop(key, None)
        if row is None:
            yield f"the vote of {key} is missing, it is {ballot.value}"
        elif row["value"] != ballot.value:
            yield f"the vote of {key} is {row['value']}, its last is {ballot.value}"
        elif [change.rpartition(":")[0] for change in row["changes"]] != [
            change.rpartition(":")[0] for change in ballot.changes
        ]:
            yield f"the vote of {key} remembers {row['changes']}, not {ballot.changes}"
    for key in stored:
        yield f"a vote of {key} that nobody cast"
    parked = {tuple(row.values()) for row in e.rows("parked_votes")}
    expected = {(*key[:3], key[3]) for key in e.model.parked}
    for key in {key[:3] for key in parked} ^ {key[:3] for key in expected}:
        yield f"parked for ever or not at all: {key}"
    refused = {
        (r["discussion"], r["event_id"], r["reason"])
        for r in e.rows("outcomes")
        if r["cause"] == VOTE
    }
    for name in refused ^ e.model.refused_votes:
        yield f"refused vote, stored or in the model only: {name}"


@invariant
def order(e: Evidence) -> Iterator[str]:
    """What became of every event of comments.v1 is what the log's order makes of it."""
    yield from _order_told(e)
    stored: dict[tuple[str, str], list[tuple[object, ...]]] = defaultdict(list)
    for row in e.rows("outcomes"):
        if row["cause"] != VOTE:
            stored[row["discussion"], row["event_id"]].append(
                (row["result"], row["reason"], row["comment"], row["revision"], row["status"])
            )
    expected: dict[tuple[str, str], list[tuple[object, ...]]] = defaultdict(list)
    for one in e.model.outcomes:
        expected[one.discussion, one.event].append(
            (one.result, one.reason, one.comment, one.revision, one.status)
        )
    for name, outcomes in expected.items():
        if name in stored and Counter(stored[name]) != Counter(outcomes):
            yield f"{name}: {stored[name]}, by the log {outcomes}"
    rows = {(r["discussion"], r["comment"]): r for r in e.rows("comments")}
    texts: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for row in e.rows("revisions"):
        texts[row["discussion"], row["comment"]][row["revision"]] = row["body"]
    for d in e.model.discussions.values():
        for c in d.comments.values():
            found = rows.get((d.key, c.id))
            if found is None:
                yield f"comment {c.id} of {d.key} is missing"
                continue
            is_ = (found["status"], found["revision"], found["published_revision"],
                   found["held_revision"], found["deleted"])  # fmt: skip
            want = (c.status, c.revision, c.shown, c.held, c.deleted)
            if is_ != want:
                yield f"{d.key} {c.id} is {is_}, by the log {want}"
            elif [texts[d.key, c.id].get(n + 1) for n in range(c.revision)] != c.texts:
                yield f"{d.key} {c.id}: its texts are not those of the log"
    for row in e.rows("discussions"):
        known = e.model.discussions.get(row["discussion"])
        if known and (row["revision"], row["title"], row["state"]) != (
            known.revision, known.title, known.state,
        ):  # fmt: skip
            yield f"{row['discussion']} is at revision {row['revision']}, not {known.revision}"


def _order_told(e: Evidence) -> Iterator[str]:
    """outcomes.v1 tells of a discussion in the order of its log; repeats may come later."""
    place: dict[tuple[str, str], int] = {}
    for r in e.records:
        if r.topic == COMMENTS:
            name = (r.discussion, r.id)
            place[name] = min(place.get(name, r.offset), r.offset)
    at: dict[str, int] = {}
    heard: set[tuple[str, str]] = set()
    for one in e.told:
        name = (one["discussion"], one["data"]["event"])
        if name in place and name not in heard and one["data"].get("reason") != "id_taken":
            if place[name] < at.get(name[0], -1):
                yield f"outcomes.v1 tells of {name} after what followed it"
            at[name[0]] = place[name]
            heard.add(name)


@invariant
def decision_overwritten(e: Evidence) -> Iterator[str]:
    """What a moderator ruled stands until the next ruling."""
    rows = {(r["discussion"], r["comment"]): r for r in e.rows("comments")}
    for d in e.model.discussions.values():
        for c in d.comments.values():
            row = rows.get((d.key, c.id))
            if row is None:
                continue
            is_ = (row["ruling"] or "", row["ruled_revision"], row["ruled_by"] or "")
            if is_ != (c.ruling, c.ruled_revision, c.ruled_by):
                yield f"{d.key} {c.id}: ruled {is_}, not {(c.ruling, c.ruled_revision, c.ruled_by)}"


@invariant
def dead_letter_conservation(e: Evidence) -> Iterator[str]:
    """Read = applied + dead-lettered: one letter per bad record, none for a good one."""
    letters = {place: value for place, value in e.letters if place[0] in INPUTS}
    for place, why in e.poison.items():
        if place not in letters:
            yield f"{why} at {place} has no dead letter"
        elif letters[place] != e.poison_values.get(place):
            yield f"the dead letter of {place} holds other bytes"
    for place in letters:
        if place not in e.poison:
            yield f"{place} is a dead letter and was good"
    for place, count in Counter(e.letters_put).items():
        if count > 1:
            yield f"{place} was dead-lettered {count} times"
    at = {(row["topic"], row["partition"]): row for row in e.rows("fences")}
    for key, end in e.ends.items():
        row = at.get(key)
        if end and (row is None or row["next_offset"] != end):
            yield f"{key}: the log ends at {end}, the fence at {row and row['next_offset']}"
