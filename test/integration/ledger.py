#!/usr/bin/env python3
"""What clients were told, and so what every node must hold: a model that knows nothing of Miroir but that a task's number
is its place in the order of all changes. Run by itself, it tests itself.

A request that was not answered may have been taken or not. It is held to have happened, if it did, at any moment between
what its client knew when it was sent and the first change that was asked for when it had been given up.
"""
import json, threading, unittest
from dataclasses import dataclass

NEVER = float("inf")


@dataclass(frozen=True)
class Change:
    """One request. `what`: the body of post and put, as it was sent; the ids of delete; the bounds of filter."""
    index: str
    kind: str  # post, put, delete, filter, clear
    what: object = None

    def named(self):
        """{id: document or part of one}; None where the request names no documents."""
        if self.kind in ("post", "put"): return {str(each["id"]): each for each in json.loads(self.what)}
        if self.kind == "delete": return {str(id): None for id in self.what}
        return None

    def done_to(self, document, given):
        """What becomes of a document; None is none."""
        if self.kind == "post": return given
        if self.kind == "put": return {**(document or {}), **given}
        if self.kind == "filter" and document:
            low, high = self.what
            return None if low <= document.get("number", low - 1) <= high else document
        return None


@dataclass(eq=False)
class Unanswered:
    change: Change
    after: int
    before: float = NEVER
    lingers: bool = False  # who was asked still lives, and may take it at any time


class Ledger:
    """Filled by many threads."""

    def __init__(self):
        self.lock, self.changes, self.unanswered, self.newest, self.writes = threading.Lock(), {}, [], 0, 0

    def ask(self):
        """Before a request is sent: what is known then, which is to be given back with what became of it."""
        with self.lock: return self.newest, [each for each in self.unanswered if each.before == NEVER and not each.lingers]

    def answered(self, asked, position, change):
        named = change.named()
        with self.lock:
            if position in self.changes: raise AssertionError(f"task {position} was given twice: {change}")
            if position <= asked[0]: raise AssertionError(f"task {position} was given after task {asked[0]}: {change}")
            self.changes[position] = change
            self.newest = max(self.newest, position)
            self.writes += 1 if named is None else len(named)
            for each in asked[1]: each.before = min(each.before, position)

    def given_up(self, asked, change, lingers):
        with self.lock: self.unanswered.append(Unanswered(change, asked[0], NEVER, lingers))

    def died(self):
        """Whoever was asked: what it had not taken it never will."""
        with self.lock:
            for each in self.unanswered: each.lingers = False

    def possible(self, index):
        """{id: [what may be held]}; None is no document."""
        states, now_open = {}, []
        to_come = sorted((each for each in self.unanswered if each.change.index == index), key=lambda each: each.after)

        def touched(change, among=None):
            named = change.named()
            return [(id, named and named[id]) for id in list(states if named is None else named) if among is None or id in among]

        def may_happen(change, among=None):
            for id, given in touched(change, among):
                those = states.get(id, [None])
                states[id] = distinct(those + [change.done_to(each, given) for each in those])

        def begin_until(position):
            while to_come and to_come[0].after < position:
                now_open.append(to_come.pop(0))
                may_happen(now_open[-1].change)

        for position, change in sorted(self.changes.items()):
            if change.index != index: continue
            begin_until(position)
            now_open[:] = [each for each in now_open if each.before > position]
            its = touched(change)
            for id, given in its: states[id] = distinct(change.done_to(each, given) for each in states.get(id, [None]))
            for each in now_open: may_happen(each.change, {id for id, _ in its})
        begin_until(NEVER)
        return states

    def model(self, index, held):
        """{id: document}: of what may be held that which is in `held`, where it is one of them."""
        model = {}
        for id, states in self.possible(index).items():
            document = held.get(id) if held.get(id) in states else states[0]
            if document is not None: model[id] = document
        return model


def distinct(states):
    found = []
    for each in states:
        if each not in found: found.append(each)
    return found


def post(*documents): return Change("i", "post", json.dumps(documents))


class LedgerTest(unittest.TestCase):
    def setUp(self): self.ledger = Ledger()

    def tell(self, position, change): self.ledger.answered((0, self.ledger.ask()[1]), position, change)
    def give_up(self, change, lingers=False): self.ledger.given_up(self.ledger.ask(), change, lingers)
    def may_be(self, **wanted): self.assertEqual(self.ledger.possible("i"), wanted)

    def test_changes_count_in_their_order_not_in_that_of_their_answers(self):
        self.tell(3, Change("i", "put", '[{"id":"a","y":3}]'))
        self.tell(1, post({"id": "a", "x": 1}, {"id": "b", "number": 5}, {"id": "c", "number": 6}))
        self.tell(2, Change("i", "filter", (5, 5)))
        self.tell(4, Change("i", "delete", ["c"]))
        self.tell(5, Change("other", "clear"))
        self.may_be(a=[{"id": "a", "x": 1, "y": 3}], b=[None], c=[None])
        self.assertEqual(self.ledger.writes, 7)
        self.assertEqual(self.ledger.model("i", {}), {"a": {"id": "a", "x": 1, "y": 3}})

    def test_what_was_not_answered_happened_or_not(self):
        a, b = {"id": "a", "x": 1}, {"id": "a", "x": 2}
        self.tell(1, post(a))
        self.give_up(post(b))
        self.may_be(a=[a, b])
        self.assertEqual(self.ledger.model("i", {"a": b}), {"a": b})
        self.assertEqual(self.ledger.model("i", {"a": {"id": "a"}}), {"a": a})
        self.tell(2, post({"id": "z"}))
        self.tell(3, post(a))
        self.may_be(a=[a], z=[{"id": "z"}])

    def test_what_was_under_way_may_have_come_before_or_after(self):
        a, b, under_way = {"id": "a", "x": 1}, {"id": "a", "x": 2}, self.ledger.ask()
        self.give_up(Change("i", "clear"))
        self.ledger.answered(under_way, 1, post(a))
        self.may_be(a=[a, None])
        self.tell(2, post({"id": "z"}))
        self.may_be(a=[a, None], z=[{"id": "z"}])

    def test_what_lingers_may_happen_until_its_server_dies(self):
        a, b = {"id": "a", "x": 1}, {"id": "a", "x": 2}
        self.give_up(post(a), lingers=True)
        self.tell(1, post(b))
        self.may_be(a=[b, a])
        self.ledger.died()
        self.tell(2, post(b))
        self.tell(3, post(b))
        self.may_be(a=[b])

    def test_a_number_is_given_once_and_rises(self):
        self.tell(5, post({"id": "a"}))
        self.assertRaises(AssertionError, self.tell, 5, post({"id": "a"}))
        self.assertRaises(AssertionError, self.ledger.answered, self.ledger.ask(), 4, post({"id": "a"}))


if __name__ == "__main__": unittest.main()
