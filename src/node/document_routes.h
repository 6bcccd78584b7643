#pragma once

#include "node/engine.h"
#include "node/router.h"

namespace miroir::node {

// Reading: GET …/documents, GET …/documents/{id}, POST …/documents/fetch.
void add_document_read_routes(Router& router, Engine& engine);
// Writing: POST, PUT and DELETE …/documents, DELETE …/documents/{id}, POST …/delete-batch, POST
// …/delete.
void add_document_write_routes(Router& router, Engine& engine);

}  // namespace miroir::node
