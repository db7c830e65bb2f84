import CGuard

/// The words that the program was started with.
public enum ProgramArguments {
  /// Hides from other users of the machine what stands behind `mark` in any word, up to the next `&`. Who
  /// looked before has seen it.
  public static func hide(_ mark: StaticString) {
    mark.withUTF8Buffer { text in
      let text = text.map { CChar(bitPattern: $0) } + [0]
      carguments_hide(text)
    }
  }
}
