import ArgumentParser
import Metainfo
import Store
import SwarmNode

/// `swarm inspect`: what a .torrent or a link is.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what a .torrent or a link is.",
    discussion: """
      The exit status is 1 for a torrent whose piece layers are wrong.

      @FILE reads the link from a file, - from standard input: a private dataset's link is a secret.
      """)

  @Argument(help: "A .torrent file, a magnet link, a key or an infohash.", completion: .file())
  var subject: BytePath

  @Flag(help: "List the files.")
  var files = false

  @Flag(name: .customLong("json"), help: "Print one JSON object (docs/json.md).")
  var isJSON = false

  func run() throws {
    let text = try LinkInput.resolve(subject.bytes)
    // 64 digits are shown as a key, 40 can be nothing but a v1 infohash.
    if text.count == 40, let link = JoinSubject.bareInfohash(text) { return try show(link) }
    let argument = try LinkAdvice.parse(text)
    switch argument {
    case .link(let link): try show(link)
    case .path(let path): try show(torrentAt: path)
    }
  }

  private func show(torrentAt path: [UInt8]) throws(Failure) {
    try LinkAdvice.refuseWhatIsNoFile(path)
    let bytes = try TorrentFile.read(path)
    let inspection = try Failure.wrap("\(printable(path)): ") { try Torrent.inspect(bytes) }
    let view = TorrentView(inspection)
    if isJSON {
      try Console.result(view.json.rendered)
    } else {
      try Console.result(table(view.rows))
      if files { try Console.result(view.fileList) }
    }
    if let fault = inspection.layerFaults.first {
      let more = inspection.layerFaults.count - 1
      throw Failure(
        "\(printable(path)): \(fault)" + (more > 0 ? " (and \(more) more)" : ""))
    }
  }

  private func show(_ link: MagnetLink) throws(Failure) {
    let view = LinkView(link)
    try Console.result(isJSON ? view.json.rendered : table(view.rows))
  }
}
