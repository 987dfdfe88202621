"""The fake graph of the SDK, filled from the same values as a real one."""

from imbi_sdk.testing import FakeGraph
from imbi_worker.graph.seed import Seed


def planted_fake(seed: Seed) -> FakeGraph:
    graph = FakeGraph()
    for service in seed.services:
        for plugin in service.plugins:
            graph.add_plugin(
                plugin.id,
                plugin.plugin_slug,
                ciphertext=plugin.configuration,
                options=plugin.options,
                service=service.slug,
                endpoint=service.api_endpoint,
            )
            if plugin.application is not None:
                graph.add_application(
                    plugin.id,
                    client_id=plugin.application.client_id,
                    ciphertext=plugin.application.client_secret,
                )
    return graph
