#pragma once

#include <string>

#include "write/write_context.h"

namespace miroir {

// Settings of an index: the whole (`route` empty) or one of them ("filterable-attributes"). A node
// judges the change (DryRun); what is logged, and sent to every node, are the complete settings
// after it.
class SettingsWriter {
 public:
  explicit SettingsWriter(WriteContext context) : context_(std::move(context)) {}

  // PATCH, PUT or DELETE of /indexes/{uid}/settings[/{route}]
  Async<http::Response> change(std::string index_uid, std::string route, http::Request request,
                               MissingIndex missing = MissingIndex::kIsMade);

 private:
  WriteContext context_;
};

}  // namespace miroir
