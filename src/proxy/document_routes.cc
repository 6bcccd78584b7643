#include "proxy/proxy_state.h"

namespace miroir {
namespace {

// What would make a result depend on the state of one replica, or needs what Miroir does not have.
Route::Handler not_supported(std::string what) {
  return [what](Route::Values, http::Request) -> Async<http::Response> {
    co_return error_answer(meili::api_error("miroir_not_supported", what));
  };
}

}  // namespace

void add_document_routes(Routes& routes, Proxy::State& state) {
  Proxy::State* s = &state;
  const std::string base = "/indexes/{uid}/documents";
  routes.add("POST", base, "documents.add", [s](Route::Values v, http::Request r) {
    const MissingIndex missing = s->missing_index(r, v[0]);
    return s->documents.add(v[0], false, std::move(r), missing);
  });
  routes.add("PUT", base, "documents.add", [s](Route::Values v, http::Request r) {
    const MissingIndex missing = s->missing_index(r, v[0]);
    return s->documents.add(v[0], true, std::move(r), missing);
  });
  routes.add("DELETE", base, "documents.delete", [s](Route::Values v, http::Request r) {
    return s->documents.clear(v[0], std::move(r));
  });
  routes.add("POST", base + "/delete-batch", "documents.delete",
             [s](Route::Values v, http::Request r) {
               return s->documents.remove_batch(v[0], std::move(r));
             });
  routes.add("POST", base + "/delete", "documents.delete", [s](Route::Values v, http::Request r) {
    return s->documents.remove_by_filter(v[0], std::move(r));
  });
  routes.add("POST", base + "/edit", "documents.add",
             not_supported("Editing documents by function makes the result depend on what a "
                           "replica holds: it is not supported."));
  routes.add("POST", base + "/fetch", "documents.get", [s](Route::Values v, http::Request r) {
    return s->searcher.documents(v[0], std::move(r));
  });
  routes.add("GET", base, "documents.get", [s](Route::Values v, http::Request r) {
    return s->searcher.documents(v[0], std::move(r));
  });
  routes.add("GET", base + "/{id}", "documents.get", [s](Route::Values v, http::Request r) {
    return s->searcher.document(v[0], v[1], std::move(r));
  });
  routes.add("DELETE", base + "/{id}", "documents.delete", [s](Route::Values v, http::Request r) {
    return s->documents.remove(v[0], v[1], std::move(r));
  });
}

void add_search_routes(Routes& routes, Proxy::State& state) {
  Proxy::State* s = &state;
  for (const char* method : {"GET", "POST"}) {
    routes.add(method, "/indexes/{uid}/search", "search", [s](Route::Values v, http::Request r) {
      return s->searcher.search(v[0], std::move(r));
    });
  }
  routes.add("POST", "/indexes/{uid}/facet-search", "search",
             [s](Route::Values v, http::Request r) {
               return s->searcher.facet_search(v[0], std::move(r));
             });
  routes.add("POST", "/multi-search", "search", [s](Route::Values, http::Request r) {
    return s->searcher.multi_search(std::move(r));
  });
  routes.add("POST", "/indexes/{uid}/similar", "search",
             not_supported("Similar documents are looked up by a node's own vectors: it is not "
                           "supported."));
}

}  // namespace miroir
