// The metadata services, against a server on the loopback. Documents are written
// after the published formats, with example addresses and keys.
#include "runtime/ros/metadata.h"

#include <catch2/catch.hpp>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"
#include "runtime/ros/fetch.h"
#include "runtime/ros/process.h"
#include "tests/support/http_server.h"

using namespace ros;
using test::HttpServer;
using test::Listener;
using Texts = std::vector<std::string>;
using std::chrono::milliseconds;

namespace {

constexpr auto kLong = std::chrono::minutes{10};  // nothing here may come near it
constexpr const char* kKeyA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleA alice@example.com";
constexpr const char* kKeyB = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABExampleB bob@example.com";
constexpr const char* kUserData = "#cloud-config\nhostname: from-user-data\n";

struct Outcome {
  std::optional<UserData> data;
  Texts problems;
};

Config config_with(const Texts& sources) {
  Config config;
  config.tree.set_path("rancher.cloud_init.datasources", Value::texts(sources));
  return config;
}

Outcome ask(const Texts& sources, milliseconds time = kLong, const fs::path& root = "/nowhere") {
  Outcome answer;
  answer.data = fetch_network_user_data(config_with(sources), answer.problems, {time, root});
  return answer;
}

// Documents of each service as it is when all is well.
void put_ec2_like(HttpServer& server, const std::string& version, const std::string& hostname) {
  server.put("/" + version + "/user-data", kUserData);
  server.put("/" + version + "/meta-data/" + hostname, "box.example.internal");
  server.put("/" + version + "/meta-data/public-keys", "0=alice\n1=bob");
  server.put("/" + version + "/meta-data/public-keys/0/openssh-key", std::string{kKeyA} + "\n");
  server.put("/" + version + "/meta-data/public-keys/1/openssh-key", kKeyB);
}

std::string quoted(const std::string& text) { return "\"" + replace_all(text, "\n", "\\n") + "\""; }

struct Case {
  std::string name;
  std::string json;       // path of the document that is JSON, "" when there is none
  std::string user_data;  // and of the one that is the user-data, if apart
  void (*put)(HttpServer&);
};

const std::vector<Case> kCases{
    {"ec2", "", "/latest/user-data",
     [](HttpServer& server) {
       put_ec2_like(server, "latest", "hostname");
       server.put_raw("PUT /latest/api/token", {HttpServer::answer(200, "TOKEN==")});
     }},
    {"gce", "/computeMetadata/v1/instance/?recursive=true", "",
     [](HttpServer& server) {
       server.put(
           "/computeMetadata/v1/instance/?recursive=true",
           R"({"id":1234567890123456789,"hostname":"box.example.internal","tags":[],)"
           R"("attributes":{"user-data":)" +
               quoted(kUserData) + R"(,"startup-script":"#!/bin/sh","ssh-keys":"alice:)" + kKeyA +
               R"(\nold:ssh-rsa AAAAExample google-ssh )" +
               R"({\"userName\":\"old@example.com\",\"expireOn\":\"2030-01-01T00:00:00+0000\"}"}})");
       server.put("/computeMetadata/v1/project/?recursive=true",
                  R"({"projectId":"example","attributes":{"ssh-keys":"bob:)" + std::string{kKeyB} +
                      R"("}})");
     }},
    {"digitalocean", "/metadata/v1.json", "/metadata/v1/user-data",
     [](HttpServer& server) {
       server.put("/metadata/v1.json",
                  R"({"droplet_id":2756294,"hostname":"box.example.internal","vendor_data":"x",)"
                  R"("public_keys":[")" +
                      std::string{kKeyA} + R"(",")" + kKeyB +
                      R"("],"region":"nyc3","dns":{"nameservers":["192.0.2.53"]}})");
       server.put("/metadata/v1/user-data", kUserData);
     }},
    {"packet", "/metadata", "/userdata",
     [](HttpServer& server) {
       server.put(
           "/metadata",
           R"({"id":"2885032e-0000","hostname":"box.example.internal","tags":[],"ssh_keys":[")" +
               std::string{kKeyA} + R"(",")" + kKeyB + R"("],"network":{"bonding":{"mode":4}}})");
       server.put("/userdata", kUserData);
     }},
    {"cloudstack", "", "/latest/user-data",
     [](HttpServer& server) {
       server.put("/latest/user-data", kUserData);
       server.put("/latest/meta-data/local-hostname", "box.example.internal\n");
       server.put("/latest/meta-data/public-keys", std::string{kKeyA} + "\n" + kKeyB + "\n");
     }},
    {"exoscale", "", "/1.0/user-data",
     [](HttpServer& server) { put_ec2_like(server, "1.0", "local-hostname"); }},
    {"aliyun", "", "/2016-01-01/user-data",
     [](HttpServer& server) { put_ec2_like(server, "2016-01-01", "hostname"); }},
    {"azure", "/metadata/instance?api-version=2021-02-01&format=json", "",
     [](HttpServer& server) {
       server.put("/metadata/instance?api-version=2021-02-01&format=json",
                  R"({"compute":{"azEnvironment":"AzurePublicCloud","customData":"","name":"vm",)"
                  R"("osProfile":{"adminUsername":"alice","computerName":"box.example.internal"},)"
                  R"("publicKeys":[{"keyData":")" +
                      std::string{kKeyA} + R"(\r\n","path":"/home/alice/.ssh/authorized_keys"},)" +
                      R"({"keyData":")" + kKeyB + R"(","path":"/home/bob"}],)" +
                      R"("userData":"I2Nsb3VkLWNvbmZpZwpob3N0bmFtZTogZnJvbS11c2VyLWRhdGEK"},)" +
                      R"("network":{"interface":[]}})");
     }},
    {"openstack", "/openstack/latest/meta_data.json", "/openstack/latest/user_data",
     [](HttpServer& server) {
       server.put("/openstack/latest/meta_data.json",
                  R"({"uuid":"83679162-0000","hostname":"box.example.internal","launch_index":0,)"
                  R"("public_keys":{"a":")" +
                      std::string{kKeyA} + R"(","b":")" + kKeyB + R"("}})");
       server.put("/openstack/latest/user_data", kUserData);
     }},
};

bool any_has(const Texts& requests, const std::string& line, const std::string& header) {
  for (const auto& request : requests) {
    if (request.starts_with(line) && request.find("\r\n" + header + "\r\n") != std::string::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("metadata: each service gives user-data, host name and keys") {
  CHECK(kCases.size() == metadata_services().size());
  for (const auto& service : kCases) {
    CAPTURE(service.name);
    HttpServer server;
    service.put(server);
    const Outcome answer = ask({service.name + ":" + server.url() + "/"});
    for (const auto& problem : answer.problems) FAIL_CHECK(problem);
    REQUIRE(answer.data);
    CHECK(answer.data->text == kUserData);
    CHECK(answer.data->metadata.hostname == "box.example.internal");
    CHECK(answer.data->metadata.ssh_keys == Texts{kKeyA, kKeyB});
    CHECK(answer.data->source == service.name + " at " + server.url() + "/");
  }
}

TEST_CASE("metadata: a service that has nothing is not there, and no problem") {
  for (const auto& service : kCases) {
    CAPTURE(service.name);
    HttpServer server;
    const Outcome answer = ask({service.name + ":" + server.url()});
    CHECK_FALSE(answer.data);
    CHECK(answer.problems.empty());
    CHECK_FALSE(server.requests().empty());
  }
  std::string nobody;
  {
    const Listener closed;
    nobody = closed.url;
  }
  const Outcome answer = ask({"ec2:" + nobody, "gce:" + nobody}, milliseconds{1300});
  CHECK_FALSE(answer.data);
  CHECK(answer.problems ==
        Texts{"rancher.cloud_init.datasources: none of ec2, gce answered within 1 s; list what "
              "this machine has, or raise rancher.cloud_init.wait"});
}

TEST_CASE("metadata: wrong, truncated and huge documents are named, the rest counts") {
  for (const auto& service : kCases) {
    HttpServer good;
    service.put(good);
    const std::string document = service.json.empty() ? service.user_data : service.json;
    const auto check = [&](const std::string& bytes, const std::string& why) {
      CAPTURE(service.name, why);
      HttpServer server;
      service.put(server);
      server.put_raw("GET " + document, {bytes});
      const Outcome answer = ask({service.name + ":" + server.url()});
      REQUIRE(answer.problems.size() == 1);
      CHECK_THAT(answer.problems[0],
                 Catch::StartsWith(service.name + " " + server.url() + document + ": ") &&
                     Catch::Contains(why));
      if (service.name != "azure") {  // it has one document only
        REQUIRE(answer.data);
        CHECK((answer.data->text == kUserData) ==
              (document == service.json && service.name != "gce"));
      }
    };
    check("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half", "too early");
    check(HttpServer::answer(200, std::string(kMaxDocument + 1, ' ')), "larger than");
    check("nonsense\r\n\r\n", "bad HTTP response");
    check("", "closed the connection");
    if (service.json.empty()) continue;
    check(HttpServer::answer(200, "<html>Please log in</html>"), "no JSON");
    check(HttpServer::answer(200, R"({"hostname":"b","public_keys":["s)"), "cut short");
    check(HttpServer::answer(200, "[1]"), "no JSON object");
    check(HttpServer::answer(200, std::string(500'000, '[')), "no JSON");
  }
}

TEST_CASE("metadata: members of the wrong type are as good as none") {
  for (const char* json :
       {R"({"hostname":7,"public_keys":"x","ssh_keys":[1,null,{}],"compute":[],"attributes":"a"})",
        R"({"compute":{"name":{},"publicKeys":[1,{"keyData":2}],"userData":[]}})",
        R"({"attributes":{"ssh-keys":["a"],"user-data":1},"public_keys":{"a":{}}})", "{}"}) {
    CAPTURE(json);
    const Documents documents{{"meta-data", json}, {"instance", json}, {"project", json}};
    std::vector<Complaint> complaints;
    for (const auto& service : metadata_services()) {
      const UserData data = service.read(documents, complaints);
      CHECK(data.text.empty());
      CHECK(data.metadata.hostname.empty());
      CHECK(data.metadata.ssh_keys.empty());
    }
    CHECK(complaints.empty());
  }
}

TEST_CASE("metadata: a document that nests deeply is refused, and no stack overflows") {
  constexpr std::size_t kLevels = 100'000;
  const std::string deep = R"({"hostname":"box","attributes":{"a":)" + std::string(kLevels, '[') +
                           std::string(kLevels, ']') + "}}";
  const Documents documents{{"meta-data", deep}, {"instance", deep}};
  for (const auto read : {read_gce, read_digitalocean, read_packet, read_openstack, read_azure}) {
    std::vector<Complaint> complaints;
    CHECK(read(documents, complaints).metadata.hostname.empty());
    REQUIRE(complaints.size() == 1);
    CHECK(complaints[0].what == "it is no JSON, cut short, or nested too deeply");
  }
}

TEST_CASE("metadata: ec2 is asked with a token, or without when it has none") {
  HttpServer server;
  put_ec2_like(server, "latest", "hostname");
  server.put_raw("PUT /latest/api/token", {HttpServer::answer(200, "TOKEN==")});
  REQUIRE(ask({"ec2:" + server.url()}).data);
  const Texts requests = server.requests();
  CHECK(any_has(requests, "PUT /latest/api/token ", "X-aws-ec2-metadata-token-ttl-seconds: 300"));
  CHECK(any_has(requests, "PUT /latest/api/token ", "Content-Length: 0"));
  CHECK(any_has(requests, "GET /latest/user-data ", "X-aws-ec2-metadata-token: TOKEN=="));
  CHECK(any_has(requests, "GET /latest/user-data ", "Host: " + server.url().substr(7)));
  CHECK(any_has(requests, "GET /latest/meta-data/public-keys/1/openssh-key ",
                "X-aws-ec2-metadata-token: TOKEN=="));

  for (const std::string& token :
       {HttpServer::answer(405, "no"), HttpServer::answer(404, "no"),
        HttpServer::answer(200, "a\r\nInjected: header"), std::string{"nonsense\r\n\r\n"}}) {
    CAPTURE(token);
    HttpServer old;
    put_ec2_like(old, "latest", "hostname");
    old.put_raw("PUT /latest/api/token", {token});
    const Outcome answer = ask({"ec2:" + old.url()});
    REQUIRE(answer.data);
    CHECK(answer.data->text == kUserData);
    CHECK(answer.problems.empty());
    for (const auto& request : old.requests()) {
      CHECK(request.find("X-aws-ec2-metadata-token:") == std::string::npos);
      CHECK(request.find("Injected") == std::string::npos);
    }
  }
}

TEST_CASE("metadata: the headers that protect a service are sent") {
  HttpServer server;
  ask({"gce:" + server.url()});
  ask({"azure:" + server.url()});
  ask({"aliyun:" + server.url()});
  const Texts requests = server.requests();
  CHECK(any_has(requests, "GET /computeMetadata/v1/instance/", "Metadata-Flavor: Google"));
  CHECK(any_has(requests, "GET /metadata/instance?", "Metadata: true"));
  CHECK(
      any_has(requests, "PUT /latest/api/token ", "X-aliyun-ecs-metadata-token-ttl-seconds: 300"));
}

TEST_CASE("metadata: what a format allows besides") {
  std::vector<Complaint> complaints;
  SECTION("gce: keys of the project may be blocked, a script may be all there is") {
    const UserData data =
        read_gce({{"instance",
                   R"({"attributes":{"block-project-ssh-keys":"true","startup-script":"#!/a"}})"},
                  {"project", R"({"attributes":{"ssh-keys":"bob:ssh-rsa B"}})"}},
                 complaints);
    CHECK(data.text == "#!/a");
    CHECK(data.metadata.ssh_keys.empty());
    CHECK(read_gce({{"instance", R"({"attributes":{"user-data":"eA==",)"
                                 R"("user-data-encoding":"base64"}})"}},
                   complaints)
              .text == "x");
    CHECK(complaints.empty());
  }
  SECTION("azure: custom data when there is no user data") {
    CHECK(read_azure({{"instance", R"({"compute":{"name":"vm","customData":"eA=="}})"}}, complaints)
              .text == "x");
    CHECK(complaints.empty());
    read_azure({{"instance", R"({"compute":{"userData":"%"}})"}}, complaints);
    CHECK(complaints.size() == 1);
  }
  SECTION("host names are such, and short enough for the kernel") {
    const auto hostname = [&](const std::string& text) {
      return read_ec2({{"hostname", text}}, complaints).metadata.hostname;
    };
    CHECK(hostname("a.example.com b.example.com\n") == "a.example.com");
    CHECK(hostname("box." + std::string(80, 'x')) == "box");
    CHECK(complaints.empty());
    CHECK(hostname("<html>").empty());
    CHECK(hostname(std::string(80, 'x')).empty());
    CHECK(complaints.size() == 2);
  }
  SECTION("keys are such, and each counts once") {
    const UserData data = read_openstack(
        {{"meta-data", R"({"public_keys":["ssh-rsa A","ssh-rsa A ","ecdsa-sha2-nistp256 B",)"
                       R"("password","ssh-rsa C\nssh-rsa D"]})"}},
        complaints);
    CHECK(data.metadata.ssh_keys == Texts{"ssh-rsa A", "ecdsa-sha2-nistp256 B"});
    CHECK(complaints.size() == 2);
    CHECK(listed_keys("0=a b\n1/\nmy-key\n../x\nssh-rsa K\n\n<p>") == Texts{"0", "1", "my-key"});
  }
}

TEST_CASE("metadata: a service that is not ready yet is asked again") {
  HttpServer server;
  put_ec2_like(server, "1.0", "local-hostname");
  server.put_raw("GET /1.0/user-data",
                 {HttpServer::answer(503, ""), HttpServer::answer(200, "#!/bin/sh\n")});
  const Outcome answer = ask({"exoscale:" + server.url()});
  REQUIRE(answer.data);
  CHECK(answer.data->text == "#!/bin/sh\n");
  CHECK(answer.problems.empty());

  server.put_raw("GET /1.0/user-data", {HttpServer::answer(500, "")});
  const Outcome never = ask({"exoscale:" + server.url()}, milliseconds{1000});
  REQUIRE(never.problems.size() == 1);
  CHECK_THAT(never.problems[0], Catch::Contains("answered 500"));
}

TEST_CASE("datasources: the first listed wins, whichever answers first") {
  HttpServer one;
  HttpServer two;
  HttpServer empty;
  put_ec2_like(one, "latest", "hostname");
  put_ec2_like(two, "1.0", "local-hostname");
  const std::string ec2 = "ec2:" + one.url();
  const std::string exoscale = "exoscale:" + two.url();
  CHECK(ask({ec2, exoscale}).data->source == "ec2 at " + one.url());
  CHECK(ask({exoscale, ec2}).data->source == "exoscale at " + two.url());
  const Outcome answer = ask({"gce:" + empty.url(), "nocloud", exoscale, ec2});
  CHECK(answer.data->source == "exoscale at " + two.url());
  CHECK(answer.problems.empty());
  CHECK_FALSE(ask({"nocloud", "configdrive"}).data);
  CHECK_FALSE(ask({}).data);
}

TEST_CASE("datasources: one that never answers holds nobody up for long") {
  const Listener dead;
  HttpServer server;
  put_ec2_like(server, "1.0", "local-hostname");
  SECTION("listed behind: it is called off") {
    CHECK(ask({"exoscale:" + server.url(), "ec2:" + dead.url, "gce:" + dead.url, "url:" + dead.url})
              .data);
  }
  SECTION("listed before: until the time is over") {
    const Outcome answer = ask({"gce:" + dead.url, "exoscale:" + server.url()}, milliseconds{200});
    REQUIRE(answer.data);
    CHECK(answer.data->text == kUserData);
    REQUIRE(answer.problems.size() == 1);
    CHECK(answer.problems[0] ==
          "gce " + dead.url + "/computeMetadata/v1/instance/?recursive=true: timed out");
  }
  SECTION("alone") { CHECK_FALSE(ask({"ec2:" + dead.url}, milliseconds{100}).data); }
}

TEST_CASE("datasources: cloudstack is where the DHCP server is") {
  TempDir root;
  HttpServer server;
  kCases[4].put(server);
  const Outcome early = ask({"cloudstack"}, milliseconds{300}, root.path());
  REQUIRE(early.problems.size() == 1);  // a lease may come: it was asked again until the end
  CHECK_THAT(early.problems[0], Catch::Contains("none of cloudstack answered"));
  write_file(root.path() / "run/ros/dhcp/eth0.4",
             "nameserver 192.0.2.53\nsearch example.com\nserver " + server.url().substr(7) + "\n");
  write_file(root.path() / "run/ros/dhcp/eth1.6", "nameserver\nsearch\nserver \n");
  const Outcome answer = ask({"cloudstack"}, kLong, root.path());
  REQUIRE(answer.data);
  CHECK(answer.data->metadata.ssh_keys == Texts{kKeyA, kKeyB});
}

TEST_CASE("datasources: a DHCP server without metadata does not end the wait for another's lease") {
  TempDir root;
  HttpServer silent, server;  // the first answers 404
  kCases[4].put(server);
  const fs::path leases = root.path() / "run/ros/dhcp";
  write_file(leases / "eth1.4", "server " + silent.url().substr(7) + "\n");
  std::jthread later{[&] {
    silent.wait_for("GET ", std::chrono::seconds{30});
    write_file(leases / "eth0.4", "server " + server.url().substr(7) + "\n");
  }};
  const Outcome answer = ask({"cloudstack"}, kLong, root.path());
  REQUIRE(answer.data);
  CHECK(answer.data->metadata.ssh_keys == Texts{kKeyA, kKeyB});
  CHECK(answer.problems == Texts{});  // who did not answer is not told of when somebody did
}

TEST_CASE("datasources: what the firmware says counts without being listed") {
  TempDir root;
  const fs::path firmware = root.path() / "sys/class/dmi/id";
  CHECK_FALSE(has_network_sources(config_with({}), root.path()));
  write_file(firmware / "product_name", "Exoscale Compute Platform\n");
  CHECK(has_network_sources(config_with({}), root.path()));
  write_file(firmware / "product_name", "Proxmox Exoscale\n");
  CHECK_FALSE(has_network_sources(config_with({}), root.path()));
}

TEST_CASE("datasources: a URL, of the list or of the command line") {
  HttpServer server;
  server.put("/config?a=b", kUserData);
  server.put_raw("GET /moved", {HttpServer::answer(302, "", "Location: /config?a=b\r\n")});
  server.put_raw("GET /loop", {HttpServer::answer(302, "", "Location: /loop\r\n")});
  const Outcome answer = ask({"url:" + server.url() + "/config?a=b"});
  REQUIRE(answer.data);
  CHECK(answer.data->text == kUserData);
  CHECK(answer.data->source == "url " + server.url() + "/config?a=b");
  CHECK(ask({"url:" + server.url() + "/moved"}).data);

  const auto problem = [](const std::string& url) {
    const Outcome wrong = ask({"url:" + url});
    CHECK_FALSE(wrong.data);
    return wrong.problems.size() == 1 ? wrong.problems[0] : "";
  };
  CHECK(problem(server.url() + "/gone") ==
        "url " + server.url() + "/gone: the server answered 404");
  CHECK_THAT(problem(server.url() + "/loop"), Catch::Contains("too many redirections"));
  CHECK_THAT(problem("ftp://192.0.2.1/x"), Catch::Contains("no http or https URL"));
  CHECK_THAT(problem(""), Catch::Contains("no http or https URL"));

  TempDir root;
  for (const char* name : {"cloud-config-url", "cloud_config_url"}) {
    write_file(root.path() / "proc/cmdline",
               std::string{"quiet "} + name + "=" + server.url() + "/moved console=tty1\n");
    CHECK(ask({"cmdline"}, kLong, root.path()).data->text == kUserData);
  }
  write_file(root.path() / "proc/cmdline", "quiet\n");
  const Outcome none = ask({"cmdline"}, kLong, root.path());
  CHECK_FALSE(none.data);
  CHECK(none.problems.empty());
}

TEST_CASE("datasources: a file, and what is unknown") {
  TempDir folder;
  const std::string file = (folder.path() / "config.yml").string();
  Texts problems;
  CHECK_FALSE(fetch_local_user_data(config_with({"file:" + file}), problems));
  write_file(file, kUserData);
  const auto data = fetch_local_user_data(
      config_with({"ec2:http://192.0.2.1", "file:" + file, "cmdline", "url:x"}), problems);
  REQUIRE(data);
  CHECK(data->text == kUserData);
  CHECK(data->source == "file " + file);
  CHECK(problems.empty());
  write_file(file, std::string(kMaxDocument + 1, ' '));
  CHECK_FALSE(fetch_local_user_data(config_with({"file:" + file, "vmwaer"}), problems));
  REQUIRE(problems.size() == 2);
  CHECK_THAT(problems[0], Catch::Contains(file) && Catch::Contains("larger than"));
  CHECK(problems[1] == "rancher.cloud_init.datasources: unknown source vmwaer");

  CHECK(has_network_sources(config_with({"nocloud", "azure"})));
  CHECK_FALSE(has_network_sources(config_with({"nocloud", "file:/x"})));
}

TEST_CASE("datasources: user-data is saved whole, with what it includes") {
  HttpServer server;
  server.put("/config", "#cloud-config\nhostname: included\n");
  server.put("/script", "#!/bin/sh\necho two\n");
  const UserData data{"test",
                      "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
                      "Content-Type: text/x-shellscript\n\n#!/bin/sh\necho one\n--b\n"
                      "Content-Type: text/x-include-url\n\n" +
                          server.url() + "/script\n" + server.url() + "/config\n--b--\n",
                      {"box", {}}};
  TempDir root;
  Texts problems;
  const fs::path folder = root.path() / kConfigFolder;
  save_user_data(data, problems, root.path());  // before the network is up
  CHECK(read_file(folder / "cloud-config-script") == "#!/bin/sh\necho one");
  CHECK_FALSE(fs::exists(folder / "cloud-config.d/boot.yml"));
  CHECK(load_metadata(root.path()).hostname == "box");

  save_user_data(data, problems, root.path(), include_fetcher(config_with({}), {kLong, "/"}));
  CHECK(problems.empty());
  CHECK(load_config(root.path()).text("hostname") == "included");
  CHECK(read_file(folder / "cloud-config-scripts/1") == "#!/bin/sh\necho one");
  CHECK(read_file(folder / "cloud-config-scripts/2") == "#!/bin/sh\necho two\n");
  CHECK(read_file(folder / "cloud-config-script") ==
        "#!/bin/sh\nstatus=0\n"
        "/var/lib/rancher/conf/cloud-config-scripts/1 || status=$?\n"
        "/var/lib/rancher/conf/cloud-config-scripts/2 || status=$?\n"
        "exit $status\n");
  CHECK((fs::status(folder / "cloud-config-scripts/2").permissions() & 0777) == 0700);

  const auto includes = [&] {
    return load_config(root.path()).text("hostname") == "included" &&
           fs::exists(folder / "cloud-config-scripts/2");
  };
  save_user_data(data, problems, root.path());  // at the next boot, before the network is up
  CHECK(includes());
  const FetchUrl none = [](const std::string&) -> std::string { throw Error{"nobody answers"}; };
  save_user_data(data, problems, root.path(), none);
  CHECK(includes());
  CHECK(problems.size() == 2);

  // Somebody changed it, maybe because there is no network.
  UserData changed = data;
  changed.text =
      "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n#cloud-config\nhostname: "
      "mended\n--b\n\n#include " +
      server.url() + "/config\n--b--\n";
  save_user_data(changed, problems, root.path());
  CHECK(load_config(root.path()).text("hostname") == "mended");
  CHECK(fs::exists(folder / "cloud-config-script"));
  server.put("/config", "#cloud-config\nrancher: {debug: true}\n");
  save_user_data(changed, problems, root.path(), include_fetcher(config_with({}), {kLong, "/"}));
  CHECK(load_config(root.path()).text("hostname") == "mended");
  CHECK(load_config(root.path()).flag("rancher.debug"));
  CHECK_FALSE(fs::exists(folder / "cloud-config-script"));
  CHECK_FALSE(fs::exists(folder / "cloud-config-scripts"));
}

TEST_CASE("datasources: what an earlier user-data brought goes, unless nothing comes instead") {
  TempDir root;
  Texts problems;
  const fs::path config = root.path() / kConfigFolder / "cloud-config.d/boot.yml";
  const fs::path script = root.path() / kConfigFolder / "cloud-config-script";
  const auto save = [&](const std::string& text) {
    save_user_data({"test", text, {}, {}}, problems, root.path());
  };
  save("#!/bin/sh\n");
  CHECK(fs::exists(script));
  save("#cloud-config\nhostname: a\n");
  CHECK(fs::exists(config));
  CHECK_FALSE(fs::exists(script));
  for (const char* nothing : {"", "\n", "#cloud-boothook\n"}) {
    save(nothing);
    CHECK(fs::exists(config));
  }
  save("#!/bin/sh\n");
  CHECK(fs::exists(script));
  CHECK_FALSE(fs::exists(config));
}

TEST_CASE("fetch: names and TLS are left to curl, with the same bounds") {
  try {
    capture({"curl", "--version"});
  } catch (const Error& error) {
    WARN("SKIPPED: " << error.what());
    return;
  }
  HttpServer server;
  const std::string base = replace_all(server.url(), "127.0.0.1", "localhost");
  server.put("/config", kUserData);
  server.put("/huge", std::string(kMaxDocument + 1, ' '));
  server.put_raw("GET /moved", {HttpServer::answer(302, "", "Location: /config\r\n")});
  Fetch how;
  how.follow = true;
  how.headers = {{"Metadata", "true"}};
  how.proxies = {"no_proxy=localhost"};
  const Patience patience = Patience{}.at_most(kLong);
  const Fetched found = fetch(base + "/moved", how, patience);
  CHECK(found.reached);
  CHECK(found.status == 200);
  CHECK(found.body == kUserData);
  CHECK(any_has(server.requests(), "GET /config ", "Metadata: true"));
  CHECK(fetch(base + "/gone", how, patience).status == 404);
  CHECK_THROWS_WITH(fetch(base + "/huge", how, patience), Catch::Contains("larger than"));
  CHECK_THROWS_AS(fetch("https://localhost" + base.substr(base.rfind(':')), how, patience), Error);

  const Listener dead;
  const std::string url = replace_all(dead.url, "127.0.0.1", "localhost");
  CHECK_THROWS_WITH(fetch(url, how, Patience{}.at_most(milliseconds{300})),
                    Catch::Contains("timed out"));

  put_ec2_like(server, "1.0", "local-hostname");  // and it is ended when another won
  CHECK(ask({"exoscale:" + server.url(), "url:" + url}).data);
}
