"""The portable workflows of the conformance suite. Activities go by name: see `probe.py`.

A component without `Capability.HOSTING` names its engine's own counterparts in the fixture
`native_workflows`; of these workflows, `echo`, `waiter` and `failing` make sense there.
"""
