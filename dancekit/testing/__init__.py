"""Contract tests of every kind of component: what `dancekit.contracts` promises, as checks that can be run.

In the tests of a plugin:

    import pytest
    from dancekit.testing import contract_checks

    @pytest.mark.parametrize("check", contract_checks("generator", "acme"), ids=str)
    def test_it_keeps_the_contract(check):
        check()

`dancekit plugins check DIST` runs the same on everything that a distribution registers.
"""

from dancekit.testing.checks import BrokenContract, Check, contract_checks

__all__ = ["BrokenContract", "Check", "contract_checks"]
