"""What Dagster's daemon computes before a backfill of N partitions starts its first runs: `plan_dagster.py N`."""

import logging
import sys

from dagster import DagsterInstance, Definitions, StaticPartitionsDefinition, asset
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
from dagster._core.execution.asset_backfill import AssetBackfillData, execute_asset_backfill_iteration_inner

count = int(sys.argv[1])


@asset(partitions_def=StaticPartitionsDefinition([str(number) for number in range(count)]))
def t() -> None:
    pass


with DagsterInstance.ephemeral() as instance:
    view = AssetGraphView.for_test(Definitions([t]), instance)
    started = view.effective_dt.timestamp()
    wanted = AssetBackfillData.from_asset_partitions(view.asset_graph, None, [t.key], instance, started, True)
    plan = execute_asset_backfill_iteration_inner("all", wanted, view, started, logging.getLogger(), None)
    assert len(plan.run_requests) == count
