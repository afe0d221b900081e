#include "builder/publish/page.h"

#include <fmt/format.h>

#include "runtime/base/text.h"

namespace rosbuild {
namespace {

constexpr const char* kStyle =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:72em;margin:2em auto;padding:0 1em}"
    "h2{margin:2em 0 .2em}p{margin:.2em 0 .6em}"
    "table{border-collapse:collapse;width:100%}"
    "td{padding:.25em 1em .25em 0;border-top:1px solid #8884;vertical-align:top}"
    "td:nth-child(2){text-align:right;white-space:nowrap}"
    "code{font-size:.85em;overflow-wrap:anywhere}"
    ":root{color-scheme:light dark}";

std::string escape(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string link(const std::string& target, const std::string& text) {
  return fmt::format("<a href=\"{}\">{}</a>", escape(target), escape(text));
}

std::string section(const DownloadFolder& folder, bool is_signed) {
  const std::string place = folder.name + "/";
  std::string lists = link(place + "checksums.txt", "checksums.txt");
  if (is_signed) lists += ", " + link(place + "checksums.txt.sig", "its signature");
  if (folder.upgrades) lists += "; upgrades: <code>" + escape(place) + "release</code>";
  std::string html = fmt::format("<h2 id=\"{0}\">{0}</h2>\n<p>{1} ({2})</p>\n<table>\n",
                                 escape(folder.name), escape(folder.description), lists);
  for (const auto& file : folder.files)
    html += fmt::format("<tr><td>{}</td><td>{}</td><td><code>{}</code></td></tr>\n",
                        link(place + file.name, file.name), ros::human_size(file.size),
                        escape(file.sha256));
  return html + "</table>\n";
}

}  // namespace

std::string download_page(const std::string& title, const std::string& version,
                          const std::vector<DownloadFolder>& folders, const std::string& signer) {
  const std::string heading = escape(title + " " + version);
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n"
      "<title>{0}</title>\n<style>{1}</style>\n<h1>{0}</h1>\n",
      heading, kStyle);
  if (!signer.empty()) html += fmt::format("<p>Signed by <code>{}</code></p>\n", escape(signer));
  for (const auto& folder : folders) html += section(folder, !signer.empty());
  return html + "</html>\n";
}

}  // namespace rosbuild
