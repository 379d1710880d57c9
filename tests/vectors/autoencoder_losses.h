/* autoencoder_losses.h: written by oracle/autoencoder_vectors.py; do not edit. */
typedef struct autoencoder_losses {
    const char *settings;
    double kl, differences, adversary;
    int start;
    const char *freeze;
    double loss[10];
} autoencoder_losses;

static const autoencoder_losses autoencoder_training[] = {
    {"vae size=8 latent=2 base=4 levels=2 layers=1 groups=2",
     0.1,
     0.0,
     0.0,
     0,
     "",
     {0.5494654304, 0.5678368116, 0.5262819253, 0.526419439, 0.5205903502, 0.4920564635, 0.5086612429, 0.5219828105,
      0.5225581705, 0.5233646801}},
    {"tae size=8 latent=2 width=4 levels=2 blocks=1 pool=1",
     0.0,
     0.0,
     0.0,
     0,
     "",
     {0.9459705897, 0.8699914847, 0.797374528, 0.7869695683, 0.6816329398, 0.7317100215, 0.666972951, 0.5769285651,
      0.5897921287, 0.5655796313}},
    {"vae size=8 latent=2 base=4 levels=2 layers=1 groups=2",
     0.1,
     0.7,
     0.0,
     0,
     "",
     {1.533994907, 1.505764122, 1.478832686, 1.512930287, 1.489540342, 1.407932344, 1.451476905, 1.468080759, 1.47899909,
      1.442842628}},
    {"vae size=8 latent=2 base=4 levels=2 layers=1 groups=2",
     0.1,
     0.7,
     0.0,
     0,
     "encoder.",
     {1.533994907, 1.509402505, 1.477871812, 1.512917543, 1.488336589, 1.407319577, 1.450929525, 1.467755874, 1.479110252,
      1.44269915}},
    {"vae size=24 latent=2 base=4 levels=2 layers=1 groups=2",
     0.1,
     0.0,
     0.5,
     3,
     "",
     {0.5770870413, 0.5165582319, 0.5061203527, 0.507765229, 0.5670648202, 0.3642505076, -0.07322771334, 0.4181473629,
      0.8847323756, 2.892840534}},
};
