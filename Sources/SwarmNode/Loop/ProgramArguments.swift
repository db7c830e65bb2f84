import CGuard

/// The words that the program was started with.
public enum ProgramArguments {
  /// Hides from other users of the machine the value of a link's parameter in any word. Who looked before has
  /// seen it.
  public static func hide(parameter name: StaticString) {
    name.withUTF8Buffer { text in
      let text = text.map { CChar(bitPattern: $0) } + [0]
      carguments_hide(text)
    }
  }
}
