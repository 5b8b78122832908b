#!/bin/sh
# What install.sh and uninstall.sh have in common; both read it. Its last line shows them that it is all there.
# shellcheck disable=SC2034,SC2154 # set, or read, by the two

{% include "common/are_roots.sh" %}

{% include "common/whole.sh" %}

{% include "standalone/installer/common.sh" %}

{% include "standalone/installer/host.sh" %}

{% include "standalone/installer/checks.sh" %}

{% include "standalone/installer/blocks.sh" %}

{% include "standalone/installer/diversion.sh" %}

{% include "standalone/installer/originals.sh" %}

{% include "standalone/installer/undo.sh" %}

# all
