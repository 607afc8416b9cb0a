"""The table of planted faults: each with the invariant that it breaks, and where it is brought out.

Not planted, since nothing of them shows in one process, one thread and virtual time: what costs
time or room and not truth (L6, P5, Q2), a standby (P6), what two processes do to each other (D6,
Q1), caps that the API refuses by (D8), what only libcurl and real sockets do of S1 to S3: their own
tests hold those. G1 to G3 are PostgreSQL's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.simulation import faults_of_callbacks as callbacks
from tests.simulation import faults_of_consumers as consumers
from tests.simulation import faults_of_dispatch as dispatch
from tests.simulation import faults_of_egress as egress
from tests.simulation import faults_of_the_log as log
from tests.simulation import scenes, scenes_of_consumers, scenes_of_egress, scenes_of_sheets
from tests.simulation.faults_of_the_log import Plant
from tests.simulation.month import Month, Script
from tests.simulation.month_of_sheets import MonthOfSheets


class Planted(NamedTuple):
    """A fault, the number of the invariant whose checker bites, and the scene in which it does."""

    fault: Callable[[Plant], None]
    invariant: int
    scene: Script
    kind: type[Month] = Month


def _of_sheets(fault: Callable[[Plant], None], invariant: int, scene: Script) -> Planted:
    return Planted(fault, invariant, scene, MonthOfSheets)


PLANTED = (
    # The log (mechanics L).
    Planted(log.salted_buckets, 5, scenes.a_process_that_ends),
    Planted(log.positions_by_the_clock_alone, 2, scenes.a_clock_that_steps_back),
    Planted(log.rows_in_another_order, 3, scenes.everyday),
    Planted(log.answered_and_not_appended, 1, scenes.everyday),
    Planted(log.failed_and_answered, 2, scenes.commits_that_fail),
    Planted(log.keys_looked_up_before, 10, scenes.one_key_many_times),
    Planted(log.keys_in_memory, 10, scenes.one_key_many_times),
    Planted(log.values_as_python_compares, 1, scenes.values_alike),
    Planted(log.todays_filter_for_all, 1, scenes.another_filter),
    Planted(log.hints_over_a_gap, 4, scenes.a_lost_hint),
    Planted(log.downtime_counts, 8, scenes.days_of_downtime),
    Planted(log.every_clock_is_believed, 1, scenes.a_clock_that_runs_away),
    # Pages (mechanics P).
    Planted(log.token_of_another_snapshot, 2, scenes.everyday),
    Planted(log.quiet_tokens_of_the_present, 2, scenes.a_clock_that_steps_back),
    Planted(log.tokens_refused, 2, scenes.a_clock_that_steps_back),
    Planted(log.begun_by_the_clock, 2, scenes.a_clock_that_steps_back),
    Planted(log.stepped_without_a_look, 8, scenes.a_listing_in_between),
    Planted(log.reads_dropped, 8, scenes.a_listing_in_between),
    # Dispatch (mechanics D).
    Planted(dispatch.checkpoint_before_the_debts, 4, scenes.a_crash_in_flight),
    Planted(dispatch.not_matched_while_off, 4, scenes.off_for_a_while),
    Planted(dispatch.no_follow_up, 4, scenes.a_burst),
    Planted(dispatch.a_success_pays_all, 8, scenes.news_while_a_debt_is_paid),
    Planted(dispatch.one_name_for_more_coverage, 6, scenes.everyday),
    Planted(dispatch.no_pace, 8, scenes.a_quick_platform),
    Planted(dispatch.no_pace_of_a_key, 8, scenes.a_quick_platform),
    Planted(dispatch.no_cap_of_a_host, 6, scenes.a_crowd_on_one_host),
    Planted(dispatch.no_cap_of_an_account, 6, scenes.a_crowd_on_many_hosts),
    Planted(dispatch.never_given_up, 8, scenes.a_dead_endpoint),
    Planted(dispatch.retried_too_soon, 8, scenes.a_dead_endpoint),
    Planted(dispatch.news_begin_the_schedule_anew, 8, scenes.a_dead_endpoint),
    Planted(dispatch.never_reminded, 8, scenes.a_sleeping_reader),
    Planted(dispatch.reminded_without_end, 8, scenes.a_sleeping_reader),
    # Of the invariants themselves.
    Planted(dispatch.pinged_while_off, 4, scenes.off_for_a_while),
    Planted(dispatch.pinged_before_the_commit, 5, scenes.everyday),
    Planted(dispatch.two_in_flight, 6, scenes.news_in_flight),
    Planted(log.nothing_collected_while_off, 7, scenes.off_and_on_again),
    Planted(dispatch.a_penalty_of_29_s, 8, scenes.asking_too_often),
    Planted(dispatch.a_penalty_that_grows, 8, scenes.asking_too_often),
    Planted(dispatch.nobody_compares_accounts, 9, scenes.prying),
    Planted(dispatch.values_in_the_log, 9, scenes.everyday),
    Planted(log.entries_kept, 12, scenes.seventeen_days),
    Planted(log.attempts_kept, 12, scenes.seventeen_days),
    Planted(log.keys_kept, 12, scenes.seventeen_days),
    Planted(dispatch.webhooks_stay_in_memory, 12, scenes.webhooks_that_go),
    # The sender (mechanics S).
    Planted(egress.judged_when_registered, 11, scenes_of_egress.a_name_that_turns_inside),
    Planted(egress.judged_once_a_name, 11, scenes_of_egress.a_name_that_turns_inside),
    Planted(egress.judged_by_the_first_address, 11, scenes_of_egress.a_name_of_many_addresses),
    Planted(
        egress.judged_before_connecting_only, 11, scenes_of_egress.an_address_that_becomes_our_own
    ),
    Planted(egress.redirects_followed, 11, scenes_of_egress.an_endpoint_that_leads_inside),
    Planted(egress.own_addresses_forgotten, 11, scenes_of_egress.a_name_of_this_machine),
    Planted(egress.urls_taken_as_they_come, 11, scenes_of_egress.asking_for_what_is_inside),
    Planted(egress.no_share_of_dns, 11, scenes_of_egress.a_crowd_of_slow_names),
    _of_sheets(egress.judged_when_registered, 11, scenes_of_egress.a_callback_that_turns_inside),
    # Callbacks (mechanics D5).
    _of_sheets(callbacks.sent_before_it_is_written, 2, scenes_of_sheets.a_callback_in_a_crash),
    _of_sheets(callbacks.a_nonce_for_each_try, 2, scenes_of_sheets.a_callback_that_fails),
    _of_sheets(callbacks.the_rest_of_a_change_is_lost, 1, scenes_of_sheets.a_row_of_many_cells),
    _of_sheets(callbacks.retried_too_soon, 8, scenes_of_sheets.a_callback_that_fails),
    _of_sheets(callbacks.never_challenged_again, 8, scenes_of_sheets.more_than_a_hundred),
    _of_sheets(callbacks.two_in_flight, 6, scenes_of_sheets.a_few_rows),
    _of_sheets(callbacks.passed_over_while_disabled, 1, scenes_of_sheets.disabled_for_a_while),
    _of_sheets(callbacks.called_while_disabled, 4, scenes_of_sheets.disabled_for_a_while),
    _of_sheets(callbacks.signed_by_another_secret, 9, scenes_of_sheets.a_few_rows),
    # The receiving half.
    Planted(
        consumers.place_moved_before_the_work, 1, scenes_of_consumers.a_follower_killed_in_its_work
    ),
    Planted(
        consumers.place_moved_after_the_work, 2, scenes_of_consumers.a_follower_that_looks_again
    ),
    Planted(consumers.gaps_untold, 1, scenes_of_consumers.a_follower_that_stays_away),
    _of_sheets(consumers.answered_before_it_is_kept, 1, scenes_of_consumers.an_inbox_that_fails),
    _of_sheets(consumers.repetitions_unknown, 2, scenes_of_consumers.old_callbacks_once_more),
    _of_sheets(consumers.handled_and_not_settled, 2, scenes_of_consumers.a_receiver_killed_at_work),
    _of_sheets(consumers.no_order_of_a_row, 3, scenes_of_consumers.handlers_that_fail),
)
