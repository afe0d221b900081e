#include "runtime/ros/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "runtime/base/text.h"

namespace ros {
namespace {

constexpr int kColumns = 40;  // of a bar that is the whole boot
// Of the picture, in pixels.
constexpr int kWidth = 1000, kNames = 260, kRow = 22, kTop = 40;

double end_of(const std::vector<Stage>& stages) {
  double end = 0.001;
  for (const auto& stage : stages) end = std::max(end, stage.end);
  return end;
}

std::string escaped(std::string text) {
  text = replace_all(std::move(text), "&", "&amp;");
  text = replace_all(std::move(text), "<", "&lt;");
  return replace_all(std::move(text), ">", "&gt;");
}

// 1, 2 or 5 times a power of ten, so that some eight lines stand in the picture.
double step_for(double end) {
  const double rough = end / 8;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (rough <= factor * power) return factor * power;
  return 10 * power;
}

}  // namespace

std::string timeline_text(const std::vector<Stage>& stages) {
  const double end = end_of(stages);
  std::size_t width = 0;
  for (const auto& stage : stages) width = std::max(width, stage.name.size());
  std::string text;
  for (const auto& stage : stages) {
    const int from = static_cast<int>(stage.begin / end * kColumns);
    const int to = std::max(from + 1, static_cast<int>(std::lround(stage.end / end * kColumns)));
    text += fmt::format("{:<{}}  {:>7.2f} {:>7.2f} s  {}{}\n", stage.name, width, stage.begin,
                        stage.end - stage.begin, std::string(static_cast<std::size_t>(from), ' '),
                        std::string(static_cast<std::size_t>(to - from), '#'));
  }
  return text;
}

std::string timeline_svg(const std::vector<Stage>& stages) {
  const double end = end_of(stages);
  const int height = kTop + kRow * static_cast<int>(stages.size()) + 10;
  const auto x = [&](double seconds) { return kNames + seconds / end * (kWidth - kNames - 70); };
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
      "viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      kWidth, height);
  for (double at = 0; at <= end; at += step_for(end))
    svg += fmt::format(
        "<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#ddd\"/>"
        "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\" fill=\"#666\">{4:g} s</text>\n",
        x(at), kTop - 10, height - 10, kTop - 16, at);
  int y = kTop;
  for (const auto& stage : stages) {
    svg += fmt::format(
        "<text x=\"{0}\" y=\"{1}\" text-anchor=\"end\">{2}</text>"
        "<rect x=\"{3:.1f}\" y=\"{4}\" width=\"{5:.1f}\" height=\"{6}\" fill=\"#2e8bc0\">"
        "<title>{2}: {7:.2f} to {8:.2f} s</title></rect>"
        "<text x=\"{9:.1f}\" y=\"{1}\" fill=\"#666\">{10:.2f} s</text>\n",
        kNames - 8, y + 14, escaped(stage.name), x(stage.begin), y + 3,
        std::max(1.0, x(stage.end) - x(stage.begin)), kRow - 6, stage.begin, stage.end,
        x(stage.end) + 4, stage.end - stage.begin);
    y += kRow;
  }
  return svg + "</svg>\n";
}

std::string timeline_json(const std::vector<Stage>& stages) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& stage : stages)
    list.push_back({{"name", stage.name}, {"begin", stage.begin}, {"end", stage.end}});
  return list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace ros
