#include "runtime/ros/fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/process.h"

namespace ros {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxRedirections = 5;
constexpr const char* kTftp = "tftp://";

Fetched fetch_directly(const Url& url, const Fetch& how, const Patience& patience,
                       std::string& location) {
  Fetched fetched;
  Connection connection;
  try {
    connection = connect_tcp(url.host, url.port, patience.at_most(how.connect));
  } catch (const Error& error) {
    fetched.reason = error.what();
    return fetched;
  }
  connection.patience = patience;
  Request request;
  request.method = how.method;
  request.target = url.target;
  request.host = url.authority;
  request.headers = how.headers;
  request.body = how.body;
  auto response = http_send(std::move(connection), request);
  fetched.reached = true;
  fetched.status = response.status();
  location = response.header("location");
  fetched.body = response.read_all(kMaxDocument);
  return fetched;
}

// curl(1), "EXIT CODES"; those that a person can do something about.
std::string reason_of(int status) {
  switch (status) {
    case 6:
      return "the name cannot be resolved";
    case 7:
      return "nobody answers there";
    case 28:
      return "timed out";
    case 35:
      return "no TLS connection";
    case 47:
      return "too many redirections";
    case 60:
      return "its certificate is not trusted";
    case 68:
      return "there is no such file";
    case 69:
      return "the server gives nobody that file";
    case 63:
      return fmt::format("the answer is larger than {}", human_size(kMaxDocument));
    default:
      return fmt::format("curl ended with status {}", status);
  }
}

Fetched fetch_with_curl(const std::string& url, const Fetch& how, const Patience& patience) {
  const auto seconds = [](milliseconds time) {
    return fmt::format("{:.3f}", static_cast<double>(time.count()) / 1000);
  };
  const Patience bounded = patience.at_most(std::chrono::minutes{5});
  // -q: no ~/.curlrc. The status comes last, on a line of its own, with the peer's
  // address, which is empty when there was no connection.
  std::vector<std::string> argv{"curl",
                                "-q",
                                "--silent",
                                "--globoff",
                                "--proto",
                                "=http,https,tftp",
                                "--proto-redir",
                                "=http,https",
                                "--max-time",
                                seconds(bounded.left()),
                                "--connect-timeout",
                                seconds(how.connect),
                                "--max-filesize",
                                std::to_string(kMaxDocument),
                                "--write-out",
                                "\n%{http_code} %{remote_ip}"};
  if (how.follow) {
    argv.insert(argv.end(), {"--location", "--max-redirs", std::to_string(kMaxRedirections)});
  }
  const bool tftp = url.starts_with(kTftp);  // RFC 1350, without later options
  if (tftp) argv.emplace_back("--tftp-no-options");
  if (!tftp) argv.insert(argv.end(), {"--request", how.method});
  if (!how.body.empty()) argv.insert(argv.end(), {"--data-binary", "@-"});
  for (const auto& [name, value] : how.headers) {
    argv.insert(argv.end(), {"--header", fmt::format("{}: {}", name, value)});
  }
  argv.insert(argv.end(), {"--url", url});
  auto [status, output] =
      capture_bounded(argv, how.body, kMaxDocument + 64, bounded, {.environment = how.proxies});
  Fetched fetched;
  const auto end = std::min(output.rfind('\n'), output.size());
  const auto last = words(output.substr(end));
  if (status == 6 || status == 7 || (status == 28 && last.size() < 2)) {
    fetched.reason = reason_of(status);
    return fetched;
  }
  if (status != 0) throw Error{reason_of(status), Error::Kind::network};
  const std::string code = last.empty() ? "" : last[0];
  std::from_chars(code.data(), code.data() + code.size(), fetched.status);
  if (tftp) fetched.status = 200;  // it knows no status: all is well
  if (fetched.status == 0) throw Error{"no HTTP status", Error::Kind::network};
  output.resize(end);
  fetched.reached = true;
  fetched.body = std::move(output);
  return fetched;
}

Fetched fetch_once(const std::string& text, const Fetch& how, const Patience& patience) {
  if (text.starts_with(kTftp)) return fetch_with_curl(text, how, patience);
  std::string address = text;
  for (int redirections = 0;; ++redirections) {
    const auto url = parse_url(address);
    if (!url) throw Error{"it is no http or https URL", Error::Kind::input};
    const bool direct =
        url->scheme == "http" && url->is_numeric() && url->authority.find('@') == std::string::npos;
    if (!direct) return fetch_with_curl(address, how, patience);
    std::string location;
    auto fetched = fetch_directly(*url, how, patience, location);
    const bool elsewhere = fetched.status / 100 == 3 && !location.empty();
    if (!how.follow || !elsewhere) return fetched;
    if (redirections == kMaxRedirections) throw Error{"too many redirections"};
    address = location.starts_with('/') ? "http://" + url->authority + location : location;
  }
}

}  // namespace

Fetched fetch(const std::string& url, const Fetch& how, const Patience& patience) {
  Fetched last;
  for (milliseconds pause{100};; pause = std::min<milliseconds>(pause * 2, milliseconds{2000})) {
    try {
      last = fetch_once(url, how, patience);
      if ((last.status != 429 && last.status < 500) || patience.left() <= pause) return last;
      patience.pause(pause);
    } catch (const Error&) {
      if (last.status == 0) throw;
      return last;  // says more than that the time is over
    }
  }
}

std::string fetch_text(const std::string& url, const Patience& patience,
                       const std::vector<std::string>& proxies) {
  Fetch how;
  how.follow = true;
  how.proxies = proxies;
  auto fetched = fetch(url, how, patience);
  if (!fetched.reached) throw Error{fetched.reason, Error::Kind::network};
  if (fetched.status != 200) {
    // 4xx: asking again changes nothing.
    const bool wrong = fetched.status / 100 == 4;
    throw Error{fmt::format("the server answered {}", fetched.status),
                wrong ? Error::Kind::input : Error::Kind::network};
  }
  return std::move(fetched.body);
}

}  // namespace ros
