#pragma once

#include <map>
#include <string>

#include "proxy/proxy.h"
#include "write/document_writer.h"
#include "write/index_writer.h"
#include "write/key_writer.h"
#include "write/settings_writer.h"

namespace miroir {

// What the routes' functions work with. Private to this room; outlives every request.
struct Proxy::State {
  State(ProxyParts p, Secrets secrets, WriteOptions write, SearchOptions search);

  // Why the request goes no further, if it does not.
  std::optional<http::Response> judge(const http::RequestHead& head) const;

  MissingIndex missing_index(const http::RequestHead& head, const std::string& uid) const {
    return authorization.may_make(head, uid, parts.log.catalogue()) ? MissingIndex::kIsMade
                                                                    : MissingIndex::kFails;
  }

  ProxyParts parts;
  Authorization authorization;
  WriteContext context;
  DocumentWriter documents;
  IndexWriter indexes;
  SettingsWriter settings;
  KeyWriter keys;
  Searcher searcher;
  Routes routes;

  struct Instruments {
    Counter requests;
    Histogram duration;
  };
  std::map<std::string, Instruments> instruments;  // by method, template and status
  Gauge in_flight;
  int under_way = 0;
};

// Each adds the routes of one subject.
void add_document_routes(Routes& routes, Proxy::State& state);
void add_index_routes(Routes& routes, Proxy::State& state);
void add_search_routes(Routes& routes, Proxy::State& state);
void add_task_routes(Routes& routes, Proxy::State& state);
void add_key_routes(Routes& routes, Proxy::State& state);
void add_server_routes(Routes& routes, Proxy::State& state);
void add_admin_routes(Routes& routes, Proxy::State& state);

// GET /_miroir/changes
Async<http::Response> read_changes(Proxy::State* state, http::Request request);

// POST /_miroir/indexes/{uid}/ttl-policy
Async<http::Response> set_ttl_policy(Proxy::State* state, std::string index_uid,
                                     http::Request request);

}  // namespace miroir
