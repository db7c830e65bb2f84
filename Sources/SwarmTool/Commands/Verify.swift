import ArgumentParser
import Metainfo
import Store
import SwarmNode

/// `swarm verify`: whether content on disk is what its .torrent says.
struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Compare content on disk with its .torrent.",
    discussion: """
      Lists every file that differs and the byte ranges in it, in whole pieces: the smallest part \
      that a torrent has hashes for. The exit status is 0 only if everything is right.
      """)

  @Argument(help: "The .torrent file.", completion: .file())
  var torrent: BytePath

  @Argument(
    help: "The content, or the folder that contains it under its name.", completion: .directory)
  var folder: BytePath

  @Flag(name: .customLong("json"), help: "Print one JSON object (docs/json.md).")
  var isJSON = false

  func run() throws {
    func isTorrent(_ path: BytePath) -> Bool {
      path.bytes.suffix(8).elementsEqual(".torrent".utf8)
    }
    if !isTorrent(torrent), isTorrent(folder) {
      throw Failure(
        "the .torrent comes first: swarm verify \(printable(folder.bytes)) \(printable(torrent.bytes))"
      )
    }
    let bytes = try TorrentFile.read(torrent.bytes)
    let torrent = try Failure.wrap("\(printable(self.torrent.bytes)): ") {
      try Torrent(parsing: bytes)
    }
    let verification = try Failure.wrap {
      try ContentVerification(torrent, folder: folder.bytes)
    }
    let report = verification.compare()
    let view = VerifyView(
      report, info: torrent.info, path: verification.path,
      extra: VerifyView.extra(torrent.info, at: verification.path))
    try Console.result(isJSON ? view.json.rendered : view.text)
    if !isJSON, let text = view.extraText { Console.note(text) }
    if !report.isRight { throw ExitCode(1) }
  }
}
