#pragma once

#include "meili/settings_check.h"

namespace miroir::meili {

// The settings that are more than a text, a number or a list of texts.
Checked check_filterable(const Json& value, const Place& place);
Checked check_ranking_rules(const Json& value, const Place& place);
Checked check_synonyms(const Json& value, const Place& place);
Checked check_typo_tolerance(const Json& value, const Place& place);
Checked check_faceting(const Json& value, const Place& place);
Checked check_pagination(const Json& value, const Place& place);
Checked check_embedders(const Json& value, const Place& place);
Checked check_localized(const Json& value, const Place& place);

}  // namespace miroir::meili
