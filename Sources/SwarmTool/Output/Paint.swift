import Glibc

/// Colour for people. The words say all without it: it is for a terminal alone, and never where `NO_COLOR` is
/// set (no-color.org) or the terminal is "dumb".
struct Paint {
  /// What a colour means, the same in every command.
  enum Ink: String {
    /// It is as it should be.
    case fine = "32"
    /// It goes on, and is not as it should be.
    case warning = "33"
    /// It does not go on.
    case fault = "1;31"
  }

  let isOn: Bool

  /// The text in that colour, or as it is.
  func callAsFunction(_ text: String, _ ink: Ink) -> String {
    isOn ? "\u{1B}[\(ink.rawValue)m\(text)\u{1B}[0m" : text
  }

  /// Whether there is colour, by where it goes and what `TERM` and `NO_COLOR` are; nil where they are not set.
  static func isWanted(isTerminal: Bool, term: String?, noColor: String?) -> Bool {
    isTerminal && (noColor ?? "").isEmpty && !["", "dumb"].contains(term ?? "")
  }

  /// For standard error.
  static let errors = Paint(descriptor: STDERR_FILENO)
  /// For standard output.
  static let results = Paint(descriptor: STDOUT_FILENO)

  init(isOn: Bool) { self.isOn = isOn }

  private init(descriptor: CInt) {
    func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    isOn = Self.isWanted(
      isTerminal: isatty(descriptor) == 1, term: variable("TERM"), noColor: variable("NO_COLOR"))
  }
}
