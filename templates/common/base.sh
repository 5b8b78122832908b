{% include "common/setting.sh" %}

{% include "common/say.sh" %}

{% include "common/bounded.sh" %}

{% include level %}

{% include "common/loaded.sh" %}

{% include "common/hooks.sh" %}

{% include "common/whole.sh" %}

{% include "common/look.sh" %}
