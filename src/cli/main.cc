// The commands of the one binary.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "cli/config.h"
#include "cli/run_node.h"
#include "cli/serve.h"
#include "cli/status.h"
#include "demo/demo.h"

namespace {

using miroir::Result;

constexpr int kRefused = 1;

int ended(const Result<void>& result) {
  if (result) return 0;
  std::fprintf(stderr, "miroir: %s\n", result.error().message.c_str());
  return kRefused;
}

void add_config_flags(CLI::App& app, miroir::ConfigFlags& flags) {
  app.add_option("--config", flags.config_path, "Configuration file (MIROIR_CONFIG_PATH)");
  app.add_option("--data-dir", flags.data_dir, "Where the log is kept (MIROIR_DATA_DIR)");
  app.add_option("--bind", flags.bind, "Address to listen on");
  app.add_option("--port", flags.port, "Port of the client API; 0 takes a free one");
  app.add_option("--metrics-port", flags.metrics_port, "Port of /metrics; 0 takes a free one");
  app.add_option("--master-key", flags.master_key, "The clients' (MIROIR_MASTER_KEY)");
  app.add_option("--node-master-key", flags.node_master_key, "The nodes' (MIROIR_NODE_MASTER_KEY)");
  app.add_option("--admin-key", flags.admin_key, "For /_miroir (MIROIR_ADMIN_API_KEY)");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("One search endpoint over several Meilisearch servers, that heals itself.");
  app.require_subcommand(1);

  miroir::ConfigFlags flags;
  CLI::App* serve = app.add_subcommand("serve", "Serve the client API before the nodes");
  add_config_flags(*serve, flags);
  CLI::App* check = app.add_subcommand("check-config", "Say whether a configuration is right");
  add_config_flags(*check, flags);

  miroir::node::NodeOptions node_options;
  CLI::App* node = app.add_subcommand("node",
                                      "An embedded search node, for demos, development and tests; "
                                      "production nodes are Meilisearch");
  node->add_option("--data-dir", node_options.data_dir, "Where the data is kept")->required();
  node->add_option("--bind", node_options.bind, "Address to listen on");
  node->add_option("--port", node_options.port, "0 takes a free one");
  node->add_option("--master-key", node_options.master_key, "Empty: no key is asked for");
  node->add_flag("--faults", node_options.faults, "Serve /_node/faults, for tests");
  node->footer(miroir::node::kFaultsHelp);

  std::string url = "http://127.0.0.1:7700";
  std::string admin_key;
  CLI::App* status = app.add_subcommand("status", "Nodes, passes and shards of a running Miroir");
  status->add_option("--url", url, "Its address");
  status->add_option("--admin-key", admin_key, "MIROIR_ADMIN_API_KEY")
      ->envname("MIROIR_ADMIN_API_KEY");

  miroir::DemoOptions demo_options;
  CLI::App* demo =
      app.add_subcommand("demo", "Break a small cluster in every way and watch it heal");
  demo->add_option("--meilisearch", demo_options.meilisearch,
                   "Path of a Meilisearch binary for the nodes, instead of the embedded one");
  demo->add_option("--packages", demo_options.packages_file,
                   "Package list to load instead of the machine's own");
  demo->add_option("--limit", demo_options.packages_max, "At most so many packages");
  demo->add_flag("--keep", demo_options.keep, "Leave it running, with the addresses printed");
  demo->add_flag("--sabotage", demo_options.sabotage,
                 "Break one document at the very end: the proof must fail");

  CLI11_PARSE(app, argc, argv);

  if (node->parsed()) return ended(miroir::run_node(node_options));
  if (demo->parsed()) return ended(miroir::run_demo(demo_options));
  if (status->parsed()) {
    const auto text = miroir::status(url, admin_key);
    if (!text) return ended(std::unexpected(text.error()));
    std::fputs(text->c_str(), stdout);
    return 0;
  }
  const auto config = miroir::load_config(flags);
  if (!config) return ended(std::unexpected(config.error()));
  if (check->parsed()) {
    std::puts("the configuration is right");
    return 0;
  }
  return ended(miroir::serve(*config));
}
