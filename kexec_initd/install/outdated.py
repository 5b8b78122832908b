"""What is not as `install` would have it: the deviations, and what else it would do, as far as that can be planned at all."""

from typing import List, Sequence

from kexec_initd.errors import Error
from kexec_initd.install.deviations import Deviation
from kexec_initd.system.host import Host


def list_deviations(host: Host, deviations: Sequence[Deviation]) -> List[str]:
    """Return all of it, a sentence each."""
    return [*(deviation.text for deviation in deviations), *list_outdated(host, deviations)]


def list_outdated(host: Host, deviations: Sequence[Deviation]) -> List[str]:
    """Return what `install` would do, or why it would not, beside what the `deviations` say."""
    from kexec_initd.install import plan_install

    texts = {deviation.text for deviation in deviations}
    try:
        planned = plan_install.plan_install(host, by_recipe=True)
    except Error as error:
        return [text for text in [str(error)] if text not in texts]
    told = {deviation.path for deviation in deviations}
    changes = [change.entry.path for change in planned.changes if change.steps and change.entry.path not in told]
    found = ["{} is not as this version would write it".format(path) for path in changes]
    return found + [text for text in planned.warnings if text not in texts]
