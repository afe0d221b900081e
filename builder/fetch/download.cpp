#include "builder/fetch/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

#include "builder/os/process.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

using ros::Error;
using Clock = std::chrono::steady_clock;

struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using Multi = std::unique_ptr<CURLM, FreeMulti>;
using Easy = std::unique_ptr<CURL, FreeEasy>;

// One attempt at one file. Removes the partial file unless it was finished.
class Transfer {
 public:
  Transfer(const Download& file, const DownloadOptions& options)
      : file_(file), part_(file.out.string() + ".part"), easy_(curl_easy_init()) {
    fs::create_directories(file.out.parent_path());
    fd_ = ros::open_file(part_, O_WRONLY | O_CREAT | O_TRUNC);
    const auto set = [this](CURLoption option, auto value) {
      curl_easy_setopt(easy_.get(), option, value);
    };
    set(CURLOPT_URL, file.url.c_str());
    if (!file.proxy.empty()) set(CURLOPT_PROXY, file.proxy.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https,file");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, 8L);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "rosbuild/" ROSBUILD_VERSION);
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.connect_timeout_seconds));
    set(CURLOPT_LOW_SPEED_LIMIT, 1000L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_timeout_seconds));
    set(CURLOPT_ERRORBUFFER, reason_);
    set(CURLOPT_PRIVATE, this);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_WRITEFUNCTION, &Transfer::receive);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() { ::unlink(part_.c_str()); }

  CURL* easy() const { return easy_.get(); }
  const Download& file() const { return file_; }

  // Empty: complete and right, now under its name. Otherwise what is wrong;
  // `passing` tells whether another attempt may help.
  std::optional<Error> finish(CURLcode code, bool& passing) {
    passing = false;
    if (failure_) return std::move(failure_);
    if (code != CURLE_OK) return network_error(code, passing);
    if (received_ != file_.size) {
      passing = received_ < file_.size;
      return wrong_size();
    }
    const std::string digest = hash_.finish();
    if (digest != file_.sha256)
      return Error{fmt::format("{}: digest differs\n  locked   {}\n  received {}", named(),
                               file_.sha256, digest),
                   Error::Kind::network}
          .hint("the mirror or a proxy on the way serves another file; try another mirror");
    fd_.reset();
    fs::rename(part_, file_.out);
    return std::nullopt;
  }

 private:
  static std::size_t receive(char* bytes, std::size_t one, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.accept({bytes, one * count}) ? one * count : 0;
  }

  bool accept(std::string_view bytes) {
    received_ += bytes.size();
    if (received_ > file_.size) {
      failure_ = wrong_size();
      return false;
    }
    hash_.update(bytes);
    try {
      ros::write_all(fd_.get(), bytes);
    } catch (const Error& error) {
      const int code = errno;
      failure_ = Error{fmt::format("cannot write {}: {}", file_.out.string(), error.what())};
      if (code == ENOSPC || code == EDQUOT)
        failure_ = Error{fmt::format("disk full while writing {}", file_.out.string())}.hint(
            "free some space, or set XDG_CACHE_HOME to a larger filesystem");
      return false;
    }
    return true;
  }

  // The URL, and what is on the way to it.
  std::string named() const {
    if (file_.proxy.empty()) return file_.url;
    std::string proxy = file_.proxy;  // without a password that is in it
    if (const auto at = proxy.rfind('@'), user = proxy.find("://"); at != std::string::npos)
      proxy.erase(user + 3, at + 1 - (user + 3));
    return fmt::format("{} (by the proxy {})", file_.url, proxy);
  }

  Error wrong_size() const {
    return Error{
        fmt::format("{}: size differs: locked {} bytes, received {}{}", named(), file_.size,
                    received_ > file_.size ? "more than " : "", std::min(received_, file_.size)),
        Error::Kind::network};
  }

  Error network_error(CURLcode code, bool& passing) const {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    const bool gone = code == CURLE_FILE_COULDNT_READ_FILE ||
                      (code == CURLE_HTTP_RETURNED_ERROR && (status == 404 || status == 410));
    if (gone)
      return Error{fmt::format("{}: no longer on the mirror", named()), Error::Kind::network}.hint(
          "Debian drops superseded versions; run `rosbuild lock --update`");
    passing = code != CURLE_HTTP_RETURNED_ERROR || status >= 500 || status == 408 || status == 429;
    return Error{fmt::format("{}: mirror does not answer as it should: {}", named(),
                             reason_[0] ? reason_ : curl_easy_strerror(code)),
                 Error::Kind::network}
        .hint("check the network, or name another mirror with --mirror URL");
  }

  const Download& file_;
  std::string part_;
  Easy easy_;
  ros::Fd fd_;
  ros::Sha256 hash_;
  std::uint64_t received_ = 0;
  std::optional<Error> failure_;
  char reason_[CURL_ERROR_SIZE] = "";
};

struct Waiting {
  const Download* file;
  unsigned attempt;
  Clock::time_point not_before;
};

// All downloads of one call, driven by one thread.
class Session {
 public:
  Session(const std::vector<Download>& files, const DownloadOptions& options)
      : options_(options), multi_(curl_multi_init()) {
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS,
                      static_cast<long>(options.parallel));
    for (const auto& file : files) {
      waiting_.push_back({&file, 1, Clock::time_point{}});
      total_ += file.size;
    }
  }
  ~Session() {
    for (auto& [transfer, attempt] : running_)
      curl_multi_remove_handle(multi_.get(), transfer->easy());
  }

  void run(const std::stop_token& stop) {
    const std::stop_callback wake{stop, [this] { curl_multi_wakeup(multi_.get()); }};
    while (!waiting_.empty() || !running_.empty()) {
      if (stop.stop_requested()) throw Cancelled{};
      start_due();
      int active = 0;
      curl_multi_perform(multi_.get(), &active);
      int left = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left))
        if (message->msg == CURLMSG_DONE) end(message->easy_handle, message->data.result);
      curl_multi_poll(multi_.get(), nullptr, 0, wait_milliseconds(), nullptr);
    }
  }

 private:
  void start_due() {
    const auto now = Clock::now();
    for (auto it = waiting_.begin(); it != waiting_.end() && running_.size() < options_.parallel;) {
      if (it->not_before > now) {
        ++it;
        continue;
      }
      running_.emplace_back(std::make_unique<Transfer>(*it->file, options_), it->attempt);
      curl_multi_add_handle(multi_.get(), running_.back().first->easy());
      it = waiting_.erase(it);
    }
  }

  void end(CURL* easy, CURLcode code) {
    curl_multi_remove_handle(multi_.get(), easy);
    const auto it = std::find_if(running_.begin(), running_.end(),
                                 [&](const auto& each) { return each.first->easy() == easy; });
    const auto [transfer, attempt] = std::move(*it);
    running_.erase(it);
    bool passing = false;
    auto failure = transfer->finish(code, passing);
    const Download& file = transfer->file();
    if (!failure) {
      done_ += file.size;
      if (options_.progress) options_.progress(done_, total_);
    } else if (passing && attempt < options_.attempts && !file.url.starts_with("file:")) {
      // 0.5 s, 1 s, 2 s …: long enough for a mirror that is being restarted.
      const auto pause = std::chrono::milliseconds(500U << (attempt - 1));
      waiting_.push_back({&file, attempt + 1, Clock::now() + pause});
    } else {
      throw std::move(*failure);
    }
  }

  // Until the next retry is due when there is a slot for it, else until something happens.
  int wait_milliseconds() const {
    auto wait = std::chrono::milliseconds(1000);
    if (running_.size() < options_.parallel)
      for (const auto& each : waiting_)
        wait = std::min(wait, std::chrono::ceil<std::chrono::milliseconds>(
                                  std::max(each.not_before - Clock::now(), Clock::duration{})));
    return waiting_.empty() && running_.empty() ? 0 : static_cast<int>(wait.count());
  }

  const DownloadOptions& options_;
  Multi multi_;
  std::list<Waiting> waiting_;
  std::list<std::pair<std::unique_ptr<Transfer>, unsigned>> running_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace

void download(const std::vector<Download>& files, const DownloadOptions& options,
              std::stop_token stop) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  Session{files, options}.run(stop);
}

}  // namespace rosbuild
