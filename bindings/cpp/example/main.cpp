// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Who may talk to the database, and why: netverdict.hpp in fifty lines.
//
//     netverdict-example shop.yaml policy.yaml -- shop/web shop/db 5432/TCP
#include <netverdict.hpp>

#include <fstream>
#include <iostream>
#include <sstream>

int main(int argc, char **argv)
try {
    netverdict::Engine engine;
    int i = 1;
    for (; i < argc && std::string(argv[i]) != "--"; i++) {
        std::ifstream file(argv[i]);
        if (!file) {
            std::cerr << argv[i] << ": cannot be read\n";
            return 1;
        }
        std::stringstream text;
        text << file.rdbuf();
        for (const auto &d : engine.apply(argv[i], text.str()))
            std::cerr << d.file << ':' << d.line << ':' << d.column << ": " << d.code << ": " << d.message << '\n';
    }
    if (argc - i != 4) {
        std::cerr << "usage: netverdict-example FILE... -- FROM TO PORT/PROTOCOL\n";
        return 2;
    }
    std::string from = argv[i + 1], to = argv[i + 2], port = argv[i + 3];
    netverdict::Update update = engine.commit();
    std::cerr << update.maps().size() << " policy maps changed\n";
    std::cout << engine.explain("{\"from\": \"" + from + "\", \"to\": \"" + to + "\", \"port\": \"" + port + "\"}")
              << '\n';
    return 0;
} catch (const netverdict::Error &error) {
    std::cerr << netverdict_status_name(error.status) << ": " << error.what() << '\n';
    return 1;
}
